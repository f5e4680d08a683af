store
TERM=xterm rag search reset -k1 | head -1; NO_COLOR= rag search reset -k1 --color never | head -1

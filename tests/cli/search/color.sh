store
rag search reset --color always -k1 | head -1 | od -An -c | head -3
NO_COLOR=1 rag search reset -k1 | head -1
rag search reset --color sometimes

rag help --man | head -12
if command -v man >/dev/null; then rag help --man > rag.1; man --warnings -l rag.1 2>&1 >/dev/null; fi

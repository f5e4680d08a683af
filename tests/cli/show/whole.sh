store
rag show docs/guide.md

store
rag show docs/guide.md:5-7 --json

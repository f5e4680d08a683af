store
rag show docs/guide.md:5
rag show docs/guide.md:5-7
rag show docs/guide.md:11-99; rag show docs/guide.md:99; echo $?
rag show docs/guide.md:7-5

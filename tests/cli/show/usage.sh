store
rag show; echo $?
rag show a b; echo $?
rag show --raw --json docs/guide.md

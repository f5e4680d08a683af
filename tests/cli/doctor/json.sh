store
rag doctor --json | tr "{" "\n" | grep -E "schema|warnings"

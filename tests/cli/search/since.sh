store
rag search reset --since 2001-01-01 | head -1
rag search reset --since tomorrow

store
sleep 0.01; echo more >> docs/guide.md
rag search reset | head -1
rm docs/guide.md
rag search reset | head -1
rag search reset --json | grep -o "\"stale\":[a-z]*"

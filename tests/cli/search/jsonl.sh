store
rag search "kettle water" --jsonl

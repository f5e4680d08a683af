store
fake
text="text=To%20reset%20the%20device%2C%20hold%20the%20power%20button%20for%20ten%20seconds%20%5B1%5D.%20The%20light"
export RAG_CHAT_MODEL=openai:x OPENAI_API_KEY=k
export RAG_CHAT_URL="$FAKE/x/$text,finish=length/v1"
q="how do I reset the device?"
rag ask "$q"; echo "= $?"
rag ask "$q" --json | grep -o '"complete":.*'
rag ask "$q" --jsonl | tail -n 1
printf '%s\n' "$q" | rag ask - 2>/dev/null | grep -o '"complete":.*'
# Ollama says it its own way
RAG_CHAT_MODEL=ollama:x RAG_CHAT_URL="$FAKE/x/$text,finish=length" rag ask "$q" --json >got; echo "= $?"
grep -o '"complete":.*' got
RAG_CHAT_URL="$FAKE/x/$text,finish=content_filter/v1" rag ask "$q" -q >got; echo "= $?"
# nothing came before the limit: not the same as "not in the documents"
RAG_CHAT_URL="$FAKE/x/text=,finish=length/v1" rag ask "$q"; echo "= $?"
RAG_CHAT_URL="$FAKE/x/text=NOT_IN_DOCUMENTS,finish=length/v1" rag ask "$q"; echo "= $?"
# whole
RAG_CHAT_URL="$FAKE/x/$text/v1" rag ask "$q" --json >got; echo "= $?"
grep -o '"complete":.*' got

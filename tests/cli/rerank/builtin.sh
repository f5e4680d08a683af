# a cross-encoder of random weights: what it says is noise, that it speaks is not
rag model add "$CASES/../data/import/reranker.gguf" --name rr | grep -E '^(model|kind)'
rag model default; echo $?
rag model default rr; echo $?
store
rag status | grep -E '^(embed|rerank)'
echo "-- no embedding model"
RAG_EMBED_MODEL=builtin:rr rag embed x; echo $?
export RAG_RERANK_MODEL=builtin:rr
rag search "lamp device" --jsonl | grep -o '"rerank":[^,]*'
rag search "lamp device" >../a; RAG_JOBS=1 rag search "lamp device" | cmp - ../a
rag status | grep '^rerank'
rag doctor | grep ' reranker'
rag model test rr | grep -E '^ok.*(reranker|order of|alone|empty|control|long)'
rag model show rr --json | grep -o '"labels":[0-9]*'
RAG_RERANK_MODEL=builtin:none rag search lamp; echo $?
echo "-- a damaged file"
f=$HOME/.local/share/rag/models/rr.model
printf '\377\000\377\000' | dd of="$f" bs=1 seek=$(($(wc -c <"$f") / 2)) conv=notrunc 2>/dev/null
rag doctor | grep ' reranker' | sed "s/: .*//"
head -c 100 "$f" >../cut; mv ../cut "$f"
rag search lamp 2>/dev/null; echo $?

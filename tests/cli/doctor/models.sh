# a damaged model file is found, whether it is in use or not; so is RAG_CPU
D=$CASES/../data/import
M=$HOME/.local/share/rag/models
rag model add "$D/hf-e5-base" --name a >/dev/null
rag model add "$D/modern.gguf" --name b >/dev/null
rag doctor | grep -e 'ing model ' -e 'model files '
printf '\001' | dd of="$M/b.model" bs=1 seek=9001 conv=notrunc status=none
rag doctor >out; echo $?
grep -A1 'model files* ' out | sed "s|$HOME|HOME|"
rag embed x | cut -c 1-20
rag model rm b
RAG_CPU=AVX2 rag doctor | grep -e RAG_CPU
RAG_CPU=AVX2 rag version --build | grep -c RAG_CPU
RAG_CPU=scalar rag version --build | grep -e RAG_CPU -e 'tier *scalar' | cut -c 1-20
RAG_CPU='' rag doctor | grep -c RAG_CPU
true

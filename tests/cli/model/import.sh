# small random models in each format
D=$CASES/../data/import
show() { grep -v -e '^path' -e '^sha256'; }
rag model add "$D/hf-e5-base" | show
(cd "$D/hf-e5-base" && rag model add . --name own --pooling cls --query-prefix 'q: ' --passage-prefix '') | show
rag model add "$D/modern.gguf" | show
rag model add "$D/reranker.gguf" | show
mkdir X.v1 && cp "$D/bert.onnx" X.v1/model.onnx
rag model add X.v1; echo $?
cp "$D/hf-e5-base/tokenizer.json" X.v1/
rag model add X.v1; echo $?
rag model add X.v1 --pooling sum; echo $?
rag model add X.v1/model.onnx --pooling mean | show
rag model ls
rag model default reranker; echo $?
echo hello | RAG_EMBED_MODEL=builtin:modern rag embed - | cut -c 1-40
head -c 5000 "$D/bert.gguf" > cut.gguf
rag model add cut.gguf; echo $?
rag model ls --pooling mean

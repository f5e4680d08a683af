# one name, two models; the default one goes; what a killed import left
D=$CASES/../data/import
M=$HOME/.local/share/rag/models
show() { grep -e '^model' -e '^query'; }
rag model add "$D/hf-e5-base" --name a | show
rag model add "$D/modern.gguf" --name a; echo $?
rag model add "$D/reranker.gguf" --name a; echo $?
cp "$D/modern.gguf" same.gguf
rag model add "$D/modern.gguf" --name b | show
rag model add same.gguf --name b --query-prefix 'q: ' | show
# a damaged one is replaced, by whatever
head -c 5000 "$M/b.model" >cut && mv cut "$M/b.model"
rag model ls | sed 's/should be [0-9]*/should be N/'
rag model add "$D/hf-e5-base" --name b | show
# a store knows its model from another one of the same name
mkdir d && echo 'a text' >d/t.txt
rag ingest -q --init d
rag model add "$D/hf-e5-base" --name a --passage-prefix 'x: ' | show
rag search text; echo $?
# without a default
rag model rm a; echo $?
rag embed x; echo $?
rag model show; echo $?
rag model test; echo $?
rag model rm b --json | cut -c 1-40
rag model show; echo $?
# nobody writes these any more; the last one is not ours
touch "$M/a.model.tmp123" "$M/c.model.tmp7" "$M/c.model.tmpx"
rag model add "$D/hf-e5-base" --name a >/dev/null
ls "$M"

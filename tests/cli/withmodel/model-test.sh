[ -n "${RAG_TEST_MODEL:-}" ] || skip "no model (RAG_TEST_MODEL)"
rag model add "$RAG_TEST_MODEL" --name e5-small >/dev/null
rag model test e5-small; echo $?
# a flipped byte is found
f=$HOME/.local/share/rag/models/e5-small.model
n=$(($(wc -c <"$f") / 2))
printf '\377\000\377\000' | dd of="$f" bs=1 seek=$n conv=notrunc 2>/dev/null
rag model test | sed "s/: .*//"; rag model test >/dev/null; echo $?

[ -n "${RAG_TEST_MODEL:-}" ] || skip "no model (RAG_TEST_MODEL)"
rag model add "$RAG_TEST_MODEL" --name e5-small | grep -v -e path -e sha256
rag model ls
store
rag status | grep -E "vectors|embed"
rag search "how to restart it" -k1 | head -1
rag search "how to restart it" -k1 --json | grep -oE '"mode":"[a-z]*"|"heading".*' | head -1
rag search "how to restart it" -k1 --jsonl | grep -oE '"dense":(0|null)'
rag embed --query hello | sed -E 's/\[-?0\.0[0-9]+,.*/[N,/'
printf 'a\nb' | rag embed --raw - | wc -c
printf 'a\n\nb\n' | rag embed | cut -c1-12
rag doctor | grep -E "embedding model|vectors" | sed "s/(.*//"
rag model add "$RAG_TEST_MODEL" --name e5-small --query-prefix "q: " | grep query
rag search "how to restart it" -k1; echo $?
rag model rm e5-small; rag search reset -k1; echo $?

[ "$(id -u)" = 0 ] || skip "needs root to be two users"
command -v setpriv >/dev/null || skip "needs setpriv"
docs; mkdir sub; chmod -R a+rX . ..
rag ingest -q --init docs
chmod -R a+rX .rag
cd sub
as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
as rag search reset; echo $?
as rag search reset --json; echo $?
as rag --store ../.rag search reset -k1 | head -1
RAG_STORE=../.rag as rag ls | head -2
as rag --store ../.rag ingest; echo $?
as rag --store ../.rag doctor | grep -E "store folder" | cut -c1-70

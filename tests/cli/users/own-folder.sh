[ "$(id -u)" = 0 ] || skip "needs root to be two users"
command -v setpriv >/dev/null || skip "needs setpriv"
docs; rag ingest -q --init docs; chmod -R a+rX . ..
as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
# refused in the working directory itself, too; named, it is read
as rag ls; echo $?
as rag --store .rag ls; echo $?

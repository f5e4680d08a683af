[ "$(id -u)" = 0 ] || skip "needs root to be two users"
command -v setpriv >/dev/null || skip "needs setpriv"
docs; rag ingest -q --init docs; chmod -R a+rX . ..
# in the working directory itself it is taken, to read
setpriv --reuid 65534 --regid 65534 --clear-groups rag ls; echo $?

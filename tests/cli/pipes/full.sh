store
for c in "search reset" "ask reset" "ls" "show docs/guide.md" "status" "config" "help" "version" "search reset --json" "doctor"; do rag $c >/dev/full; echo $?; done

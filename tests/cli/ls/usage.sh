store
rag ls a b; echo $?
rag ls -0 --json; echo $?
rag ls --lnog

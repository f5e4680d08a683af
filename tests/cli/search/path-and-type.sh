store
rag search "error reset" --path "*.log" | head -1
rag search "error reset" --type markdown | head -1
rag search reset --path "*.nothing"; echo $?
rag search reset --type pdf; echo $?
rag search reset --path "*.md" --since 2999-01-01 --meta author=Ada --meta draft=no; echo $?
rag search quux --path "*.log"; echo $?
rag search reset --path "*.nothing" --json | cut -d, -f1-5; echo reset | rag search - --path "*.nothing"; echo $?
rag search reset --path "*.md" --since 0001-01-01 | head -1

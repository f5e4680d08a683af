store
rag search "error reset" --path "*.log" | head -1
rag search "error reset" --type markdown | head -1
rag search reset --path "*.nothing"; echo $?

rag help
rag --help | cmp - /dev/stdin <<X || true
$(rag help)
X

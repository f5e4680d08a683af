rag version --build | cut -d" " -f1 | uniq
rag version --build --json | cut -c1-60

store
rag --json ls "*.md" | cut -c1-40
rag ls --json "*.md" | cut -c1-40
rag --store .rag ls "*.md"
rag ls --store=.rag "*.md"
rag ls -q -- "*.md"
rag -vq ls "*.md"

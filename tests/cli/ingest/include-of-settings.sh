docs
mkdir .rag
printf "[ingest]\ninclude = *.md *.csv\nexclude = people*\n" > .rag/config
rag ingest -j1 docs -v
rag ls

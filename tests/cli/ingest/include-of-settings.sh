docs
mkdir .rag
printf "[ingest]\ninclude = *.md *.csv\nexclude = people*\n" > .rag/config
rag ingest docs -v
rag ls

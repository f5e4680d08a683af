mkdir docs
printf "\357\273\277a\r\nb" > docs/bom.txt
rag ingest -q --init docs
rag show --raw docs/bom.txt | od -An -c
rag show docs/bom.txt | od -An -c

mkdir docs
printf "%%PDF-1.4 broken" > docs/a.pdf
echo text > docs/b.txt
rag ingest --init docs --strict

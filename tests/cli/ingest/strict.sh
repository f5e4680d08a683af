mkdir docs
printf "%%PDF-1.4 broken" > docs/a.pdf
rag ingest --init docs --strict

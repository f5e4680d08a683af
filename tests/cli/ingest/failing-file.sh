docs
printf "%%PDF-1.4 broken" > docs/bad.pdf
rag ingest -j1 --init docs; echo $?
rag ingest; echo $?
rag status | grep failed

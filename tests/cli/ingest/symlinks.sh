docs
ln -s ../docs docs/loop
ln -s guide.md docs/link.md
mkfifo docs/pipe
rag ingest --init docs; echo $?
rag ls

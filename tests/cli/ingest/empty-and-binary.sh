mkdir docs
: > docs/empty.txt
head -c 64 /dev/zero > docs/zero.bin
rag ingest -j1 --init docs -v; echo $?

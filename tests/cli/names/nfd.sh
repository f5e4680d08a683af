mkdir docs
printf "decomposed\n" > "docs/$(printf '\341\204\222\341\205\241\341\206\253.txt')"
rag ingest --init docs
rag ls | od -An -c

mkdir docs
printf "one\ntwo\nthree\n" > docs/a:2
printf "x\ny\n" > "docs/b#p1"
rag ingest --init docs
rag show docs/a:2
rag show docs/a:2:2
rag show "docs/b#p1"
rag show "docs/b#p1:1"

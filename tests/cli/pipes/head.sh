mkdir docs
for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9; do echo "word text $i$j" > docs/a-rather-long-name-of-a-file-so-that-the-pipe-fills-$i$j; done; done
rag ingest -q --init docs
{ i=0; while [ $i -lt 400 ]; do echo word; i=$((i+1)); done; } > q
{ rag search - -k 20 < q; echo $? >&2; } | head -1 | cut -c1-30

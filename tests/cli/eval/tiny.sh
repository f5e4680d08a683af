mkdir -p b/qrels
for i in 1 2 3 4; do printf '{"_id":"d%d","title":"","text":"document about topic%d and more"}\n' $i $i; done > b/corpus.jsonl
for i in 1 2 3; do printf '{"_id":"q%d","text":"topic%d"}\n' $i $i; done > b/queries.jsonl
printf 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n' > b/qrels/test.tsv
rag eval --beir b --mode lexical -q | grep -v queries/s
rag eval --beir b --mode lexical -q -k 10 --json | sed 's/"queries_per_second.*//'
ls .rag "$HOME/.local/share/rag" 2>&1 | head -2

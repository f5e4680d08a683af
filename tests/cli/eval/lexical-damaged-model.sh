# by words alone no model is needed, so none is looked at
mkdir -p b/qrels "$HOME/.local/share/rag/models"
printf '{"_id":"d1","title":"","text":"document about kettles"}\n' >b/corpus.jsonl
printf '{"_id":"q1","text":"kettles"}\n' >b/queries.jsonl
printf 'query-id\tcorpus-id\tscore\nq1\td1\t1\n' >b/qrels/test.tsv
echo broken >"$HOME/.local/share/rag/models/broken.model"
echo broken >"$HOME/.local/share/rag/models/default"
rag eval --beir b -q; echo $?
rag eval --beir b -q --mode lexical -k 10 | grep -v queries/s

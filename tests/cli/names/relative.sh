mkdir docs here
echo "text" > docs/a.txt
rag ingest -q --init docs
cd here
rag show ../docs/a.txt
rag show ../docs/a.txt:1
rag ls "../docs/*.txt"
rag ls ../docs
rag ls ../docs/../docs/a.txt
cd ../docs
rag show ./a.txt
rag search text --path "../docs/*" | head -1
rag search text --path "../here/*"; echo $?
rag rm ./a.txt

mkdir docs here
echo "text" > docs/a.txt
rag ingest --store st docs
cd here
rag ls --store ../st
rag show --store ../st ../docs/a.txt; echo $?
rag rm --store ../st "*.txt"

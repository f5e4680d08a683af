mkdir docs
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo "text $i" > docs/$i.txt; done
rag ingest -q --init docs
rm docs/1*.txt docs/2.txt docs/3.txt docs/4.txt docs/5.txt docs/6.txt docs/7.txt docs/8.txt
rag ingest; echo $?
rag ingest --prune --json | sed "s/,.files.*//"

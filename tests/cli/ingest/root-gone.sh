store
mv docs away
rag ingest; echo $?
rag ls
mv away docs
rag ingest

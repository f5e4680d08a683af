store
# the writer's lock, held by somebody else
exec 9<.rag/store.lock
flock 9
rag ingest; echo $?
rag ingest --json; echo $?
rag ingest --wait 1; echo $?
rag rm guide.md; echo $?
rag search reset -q | head -1

store
rag search x --type word; echo $?
rag search x --meta lang; echo $?
rag ingest docs --type word; echo $?
rag ingest docs -0

rag ingest --init --files-from -; echo $?

store
printf "reset\nkettle" | RAG_EMBED_MODEL=none rag search - --mode dense; echo $?

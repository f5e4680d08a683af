docs
# a price, and a remote model whose speed nobody knows yet; nothing is sent
export RAG_EMBED_MODEL=openai:some RAG_EMBED_URL=http://127.0.0.1:9/v1
rag ingest --dry-run docs
RAG_EMBED_PRICE_PER_MTOK=0.02 rag ingest --dry-run docs
RAG_EMBED_PRICE_PER_MTOK=0.02 rag ingest --dry-run docs --json |
    grep -oE '"(tokens|requests|estimated_ms|estimated_cost)":[^,}]*'
RAG_EMBED_PRICE_PER_MTOK=much rag ingest --dry-run docs; echo $?

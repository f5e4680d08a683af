mkdir docs
echo "설명서 내용" > "docs/한글 설명서.md"
rag ingest --init docs
rag ls
rag search 설명서
rag show "docs/한글 설명서.md"
rag rm "docs/한글*" -n

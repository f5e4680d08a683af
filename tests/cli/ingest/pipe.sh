echo "zebras have stripes" | rag ingest --init - --name zebra.txt
rag search stripes
rag show zebra.txt

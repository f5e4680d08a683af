store
rag rm "*.csv" "*.log" -n
rag ls | wc -l

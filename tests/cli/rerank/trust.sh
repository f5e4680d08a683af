fake
store
cat >.rag/config <<X
[rerank]
model = http:m
url = $FAKE/x/trust/v1
X
rag search lamp --jsonl | grep -o '"rerank":[^,]*'
echo "-- nothing was sent"
ask_fake $FAKE/x/trust/stats
rag config trust
rag search lamp --jsonl | grep -o '"rerank":[^,]*'
ask_fake $FAKE/x/trust/stats

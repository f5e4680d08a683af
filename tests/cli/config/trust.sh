mkdir .rag
printf '[chat]\nmodel = openai:gpt\ntemperature = 1\n[embed]\nmodel = openai:e\n' > .rag/config
rag config | grep -E "^(chat|embed).(model|temp)"
rag config trust
rag config | grep -E "^(chat|embed).(model|temp)"
echo '; touched' >> .rag/config
rag config | grep -E "^(chat|embed).(model|temp)"

mkdir .rag
printf '[embed]\nmodel = builtin:x\n' > .rag/config
rag config get embed.model
printf '[embed]\nmodel = ollama:x\n' > .rag/config
rag config get embed.model; echo $?

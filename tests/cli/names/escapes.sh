mkdir docs
printf "\033[31mred\033[0m bell\007\n" > docs/esc.txt
rag ingest --init docs
rag show docs/esc.txt
rag show --raw docs/esc.txt | od -An -c
rag search bell

unset HOME
rag version
rag help rm | head -1
rag config | head -1
rag doctor | grep -A1 fail; rag model ls

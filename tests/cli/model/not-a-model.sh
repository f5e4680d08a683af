echo nonsense > m.bin
rag model add m.bin; echo $?
rag model add m.bin --name ../x; echo $?
rag model ls

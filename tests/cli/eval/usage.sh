rag eval; echo $?
rag eval --beir nowhere; echo $?
rag eval --beir x -k 5; echo $?
rag eval --beir x --mode y

store
rag ask "who wrote the opera Carmen?"; echo $?
rag ask "who wrote the opera Carmen?" --json

store
printf "reset\n\nquux\nkettle\n" | rag search - -k1; echo $?
printf "quux\n" | rag search -; echo $?
rag search - </dev/null; echo $?

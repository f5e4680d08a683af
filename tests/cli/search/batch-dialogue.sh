store
# a program that writes a query and waits for its answer
mkfifo in out
rag search - -k1 <in >out & p=$!
exec 7>in 8<out
for q in reset kettle; do
    echo $q >&7
    read -r line <&8
    printf '%s\n' "$line" | cut -c1-40
done
exec 7>&-
wait $p; echo $?

store
# a program that writes a query and waits for its answer
mkfifo in out
rag search - -k1 <in >out & p=$!
exec 7>in 8<out
echo reset >&7
read -r line <&8; echo "$line" | cut -c1-40
echo kettle >&7
read -r line <&8; echo "$line" | cut -c1-40
exec 7>&-
wait $p; echo $?

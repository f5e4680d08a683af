# a window of 16 tokens: a longer question is read in several, and it is said
D=$CASES/../data/import
rag model add "$D/hf-e5-base" --name a >/dev/null
mkdir d && echo 'a b c' >d/t.txt
rag ingest -q --init d 2>err
rag search 'a b' -k 1 >out; echo $?
q='a b c d e f g h i j k l m n o p q r s t u v w x y z'
rag search "$q" -k 1 >out; echo $?
rag ask "$q" >out
# a model that cannot be used keeps its mark, and says why
M=$HOME/.local/share/rag/models
printf '\011' | dd of="$M/a.model" bs=1 seek=8 conv=notrunc status=none
rag model ls | sed 's/reads [0-9]*/reads N/'
printf '\002' | dd of="$M/a.model" bs=1 conv=notrunc status=none
rag model ls

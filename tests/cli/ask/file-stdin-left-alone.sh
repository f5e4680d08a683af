store
printf "how do I reset the device?\nrest\n" > list
while read -r q; do rag ask "$q" --dry-run -k1 | tail -2; break; done < list
{ read -r q; rag ask "$q" -q >/dev/null; read -r q; echo "$q"; } < list

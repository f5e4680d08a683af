# by path, whichever is read first
mkdir -p docs/b docs/a
awk 'BEGIN { for (i = 0; i < 30000; i++) print "line", i }' >docs/a/long.txt
for i in 3 1 2; do echo "$i" >docs/b/$i.txt; done
echo "# m" >docs/z.md
for run in 1 2 3; do
    rag --store s$run ingest -q -j4 --json docs | grep -oE '"path":"[^"]*"' | tr '\n' ' '; echo
done

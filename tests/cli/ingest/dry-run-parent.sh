# a folder above known roots: their files are what the real run calls them
mkdir -p all/a all/b
echo "one" >all/a/one.txt; echo "two" >all/a/two.txt; echo "gone" >all/a/gone.txt
echo "three" >all/b/three.txt
rag ingest -q --init all/a all/b/three.txt
echo "two, changed" >all/a/two.txt; rm all/a/gone.txt; echo "new" >all/new.txt
results() { grep -oE '"(path|result)":"[^"]*"' | paste - -; }
rag ingest --dry-run --json all | results
echo "and in fact:"
rag ingest --json all | results

mkdir docs
echo "bad bytes" > "docs/$(printf 'b\377d.txt')"
rag ingest --init docs --json
rag ls
rag ls --json
rag search bad --json | sed 's/.*\("document":.*\),"id".*/\1/'
rag show "$(rag ls)"
rag show --b64 "$(rag ls --jsonl | sed 's/.*_b64":"\([^"]*\)".*/\1/')"
rag rm --b64 "$(rag ls --jsonl | sed 's/.*_b64":"\([^"]*\)".*/\1/')"
rag ls; echo $?

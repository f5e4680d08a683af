[ -n "${RAG_TEST_MODEL:-}" ] || skip "no model (RAG_TEST_MODEL)"
rag model add "$RAG_TEST_MODEL" --name e5-small >/dev/null
{ echo short; for _ in $(seq 1 75); do printf 'The device is reset by its button. '; done; echo; } >../lines
rag embed - <../lines | cut -c1-15
mkdir d e
tail -1 ../lines >d/long.txt
echo "-- passages are cut to the window, whatever was asked and estimated"
RAG_CHUNK_MAX_TOKENS=1000 RAG_CHUNK_MIN_TOKENS=900 rag ingest --store a d 2>&1
awk 'BEGIN { for (i = 0; i < 700; i++) printf "z%dq ", (i * 7919) % 1000 }' >e/codes.txt
rag ingest --store b e 2>&1 | grep -c 'in windows'

mkdir docs
{ printf "needle "; i=0; while [ $i -lt 200 ]; do printf "hay%d " $i; i=$((i+1)); done; echo; } > docs/long.txt
rag ingest -q --init docs
rag search needle

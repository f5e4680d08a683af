#!/bin/sh
# The bars on start-up, search and ingest, measured: sh tests/bench/speed.sh [RAG]
# (default: build/release/rag). About three minutes on a quiet machine; figures
# of a busy one mean nothing. Ends with 1 when a bar was missed.
#
# RAG_BENCH_MANUAL   the manual (default: ../shared/data/manual-fastapi beside
#                    the repository; without it docs/, and the bars say little)
# RAG_BENCH_MODEL    the built-in model's file (default: the user's models);
#                    without one the hybrid search is left out
# RAG_BENCH_DIR      keeps the stores here, so that a further run need not embed
#                    the manual again (one to two minutes)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
rag=${1:-$root/build/release/rag}
rag=$(cd "$(dirname "$rag")" && pwd)/$(basename "$rag")
manual=${RAG_BENCH_MANUAL:-$root/../shared/data/manual-fastapi}
[ -d "$manual" ] || manual=$root/docs
manual=$(cd "$manual" && pwd)
dir=$(mktemp -d)
server=
# shellcheck disable=SC2317 # the trap calls it
done_with() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$dir"
}
trap done_with EXIT
trap 'exit 130' INT TERM
keep=${RAG_BENCH_DIR:-$dir}
mkdir -p "$keep"
missed=0

models=${XDG_DATA_HOME:-$HOME/.local/share}/rag/models
[ ! -d "$models" ] || have_models=1
# the user's own settings and store stay out of it
export HOME="$dir/home" XDG_CONFIG_HOME="$dir/home/c" XDG_STATE_HOME="$keep/state"
export XDG_DATA_HOME="$dir/home/d" XDG_CACHE_HOME="$dir/home/k"
mkdir -p "$XDG_DATA_HOME/rag"
unset RAG_STORE RAG_EMBED_MODEL RAG_EMBED_URL RAG_CHAT_MODEL RAG_CHAT_URL

for c in empty bench_cold bench_corpus; do
    ${CC:-cc} -O2 -o "$dir/$c" "$root/tests/bench/$c.c"
done
lines() { find "$manual" -name '*.md' -print0 | sort -z | xargs -0 cat; }
bench() { "$dir/bench_cold" "$@" || missed=1; }

echo "$("$rag" version), $(date -u +%Y-%m-%d), $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg)"
echo "manual: $manual, $(find "$manual" -type f | wc -l) files, $(du -sh "$manual" | cut -f1)"

echo
echo "## ingest, 5 runs each into a new store"
bench -n 5 -x "$dir/new" "$dir/empty" \
    -- "manual, --no-embed" 500 "$rag" --store "$dir/new" -q ingest --no-embed "$manual"
"$rag" --store "$dir/words" -q ingest --no-embed "$manual" || [ $? = 3 ]
bench -n 21 "$dir/empty" \
    -- "manual, unchanged" 30 "$rag" --store "$dir/words" -q ingest --no-embed "$manual"

fake=
for f in "$(dirname "$rag")/tests/fakellm" "$root"/build/*/tests/fakellm; do
    [ -x "$f" ] && fake=$f && break
done
if [ -n "$fake" ]; then
    "$fake" --life 300 >"$dir/port" &
    server=$!
    while [ ! -s "$dir/port" ]; do sleep 0.1; done
    port=$(sed -n 's/^port //p' "$dir/port")
    export RAG_EMBED_MODEL=openai:instant RAG_EMBED_URL="http://127.0.0.1:$port/x/dims=384/v1"
    bench -n 5 -x "$dir/new" "$dir/empty" \
        -- "manual, instant embedding server" 1000 "$rag" --store "$dir/new" -q ingest "$manual"
    unset RAG_EMBED_MODEL RAG_EMBED_URL
    kill "$server" && server=
else
    echo "no fakellm built (cmake --preset dev): ingest with a server left out"
fi

lines |
    "$dir/bench_corpus" files "$dir/notes" 20000 1000
bench -n 3 -x "$dir/new" "$dir/empty" \
    -- "20,000 documents of 1 KB, --no-embed" 5000 "$rag" --store "$dir/new" -q ingest --no-embed "$dir/notes"
rm -rf "$dir/new" "$dir/notes"

lines |
    "$dir/bench_corpus" records "$dir/records" 100000 1000
bench -n 1 "$dir/empty" \
    -- "100,000 records of 1 KB, --no-embed" 0 "$rag" --store "$dir/large" -q ingest --no-embed "$dir/records"

echo
echo "## whole cold processes, run in turn"
hybrid() { echo "no built-in model: hybrid search left out (RAG_BENCH_MODEL)"; }
model=${RAG_BENCH_MODEL:-}
[ -n "$model" ] || [ -z "${have_models:-}" ] || model=$(find "$models" -name '*.model' | head -1)
if [ -n "$model" ]; then
    mkdir -p "$XDG_DATA_HOME/rag/models"
    ln -s "$model" "$XDG_DATA_HOME/rag/models/bench.model"
    export RAG_EMBED_MODEL=builtin:bench
    "$rag" --store "$keep/hybrid" -q ingest "$manual" || [ $? = 3 ]
    unset RAG_EMBED_MODEL
    hybrid() {
        RAG_EMBED_MODEL=builtin:bench bench -n 51 "$dir/empty" \
            -- "search, hybrid, built-in encoder" 60 "$rag" --store "$keep/hybrid" -q search "how do I declare query parameters"
    }
fi
bench -n 101 "$dir/empty" \
    -- "version" 2.5 "$rag" version \
    -- "search --mode lexical" 4 "$rag" --store "$dir/words" -q search --mode lexical "how do I declare query parameters" \
    -- "search --mode lexical, Korean" 4 "$rag" --store "$dir/words" -q search --mode lexical "쿼리 매개변수를 어떻게 선언하나요" \
    -- "search --mode lexical, 100,000 chunks" 6 "$rag" --store "$dir/large" -q search --mode lexical "how do I declare query parameters"
hybrid
exit "$missed"

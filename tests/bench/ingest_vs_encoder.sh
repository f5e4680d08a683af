#!/bin/sh
# Does an ingest keep the encoder busy? One run, in turn:
#
#   rag ingest of a folder of Markdown into a new store, the whole process, with
#   its fdatasync;
#   the encoder alone over the same inputs, all at once, sorted, no store
#   (tests/bench/bench_inputs.c).
#
# cmake -G Ninja -DCMAKE_BUILD_TYPE=Release -B build/bench
# cmake --build build/bench --target rag bench_inputs
# sh tests/bench/ingest_vs_encoder.sh [-n ROUNDS] [-j THREADS] \
#     build/bench/rag build/bench/tests/bench_inputs MODEL
#
# MODEL is a model file of ours (what `rag model add` made).
# The folder is tests/eval/docs, the English pages and 24 of the Korean ones:
# about 1,000 chunks, half a minute a round. Prints what an ingest embeds in a
# second by wall time, what the encoder does, and the ratio, the median over the
# rounds of ratios of neighbours; ends with 1 when that is under .90.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=7
threads=$(nproc)
while getopts n:j: o; do
    case $o in
    n) rounds=$OPTARG ;;
    j) threads=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 3 ] || { sed -n 's/^# \{0,1\}//p' "$0" >&2 && exit 2; }
full() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
rag=$(full "$1")
inputs=$(full "$2")
model=$(full "$3")

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
export HOME="$dir/home" XDG_CONFIG_HOME="$dir/home/c" XDG_STATE_HOME="$dir/home/s"
export XDG_DATA_HOME="$dir/home/d" XDG_CACHE_HOME="$dir/home/k"
unset RAG_STORE RAG_EMBED_MODEL RAG_EMBED_URL RAG_CHAT_MODEL RAG_CHAT_URL RAG_MODEL
mkdir -p "$XDG_DATA_HOME/rag/models" "$dir/docs/ko"
name=$(basename "$model" .model)
ln -s "$model" "$XDG_DATA_HOME/rag/models/$name.model"
"$rag" -q model default "$name" >/dev/null
cp -R "$root/tests/eval/docs/en" "$dir/docs/en"
find "$root/tests/eval/docs/ko" -name '*.md' | LC_ALL=C sort | head -24 |
    while read -r f; do
        cp "$f" "$dir/docs/ko/$(echo "${f#"$root"/tests/eval/docs/ko/}" | tr / -)"
    done

"$rag" --store "$dir/words" -q ingest --no-embed "$dir/docs"
echo "$("$rag" version), $(date -u +%Y-%m-%d), $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg), $threads threads"

now() { date +%s.%N; }
i=0
while [ "$i" -lt "$rounds" ]; do
    rm -rf "$dir/new"
    began=$(now)
    "$rag" --store "$dir/new" -q ingest -j "$threads" "$dir/docs"
    ended=$(now)
    echo "$began $ended $("$inputs" "$dir/words" "$model" "$threads")"
    i=$((i + 1))
done | awk '
    function middle(list, n,   i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
            }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    {
        n++
        ingest[n] = $2 - $1; alone[n] = $3; ratio[n] = $3 / ($2 - $1)
        printf "round %d: ingest %.3f s, encoder %.3f s, ratio %.3f\n",
            n, ingest[n], alone[n], ratio[n]
        docs = $4; tokens = $5
    }
    END {
        if (n == 0) exit 1
        r = middle(ratio, n); a = middle(ingest, n); b = middle(alone, n)
        printf "%d inputs, %d tokens; median of %d rounds\n", docs, tokens, n
        printf "ingest   %.3f s, %.1f documents/s, %.0f tokens/s\n",
            a, docs / a, tokens / a
        printf "encoder  %.3f s, %.1f documents/s, %.0f tokens/s\n",
            b, docs / b, tokens / b
        # sorted by now: [1] is the least
        printf "ratio    %.3f (bar .90: %s); least wall times %.3f\n",
            r, (r >= .9 ? "met" : "MISSED"), alone[1] / ingest[1]
        exit (r < .9)
    }'

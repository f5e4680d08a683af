#!/bin/sh
# A short run of every libFuzzer target: run.sh BUILD_DIR SECONDS
# New inputs go to a folder of the build; a crash is printed and fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2
n=0
for f in "$build"/tests/fuzz_*; do
    [ -x "$f" ] || continue
    name=${f##*/fuzz_}
    mkdir -p "$build/corpus/$name"
    if ! "$f" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
        -artifact_prefix="$build/crash-$name-" "$build/corpus/$name" "$here/corpus/$name" \
        >"$build/fuzz-$name.log" 2>&1; then
        tail -n 30 "$build/fuzz-$name.log"
        echo "fuzzing $name failed"
        exit 1
    fi
    n=$((n + 1))
done
echo "$n targets, $seconds s each"
[ "$n" -gt 0 ]

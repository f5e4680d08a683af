#!/bin/sh
# Golden tests of the program: sh tests/cli/run.sh BIN [--update] [COMMAND...]
#
# tests/cli/COMMAND/CASE.sh runs in a folder of its own, with an empty
# environment (PATH, HOME and XDG folders of its own) and `rag` on the PATH.
# What it prints and its exit code must equal CASE.out, CASE.err and CASE.code
# (missing: nothing, nothing, 0), after times, sizes and temporary paths were
# made equal. --update rewrites those files: read the diff.
#
# A case that calls `fake` (lib.sh) gets fakellm, built beside BIN.
# A case that cannot run here exits with 77 and says why on its last line.
# Exit code: 0 all passed, 1 some failed, 77 all were skipped.
set -u
bin=$(realpath "$1")
shift
update=
if [ "${1:-}" = --update ]; then
    update=1
    shift
fi
cases=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/bin"
ln -s "$bin" "$work/bin/rag"

# What differs from run to run.
normalise() {
    sed -E \
        -e "s|$1|DIR|g" \
        -e 's/\([0-9]+\.[0-9] s\)/(T s)/g' \
        -e 's/"timing_ms":\{[^}]*\}/"timing_ms":{}/g' \
        -e 's/"(score|dense|lexical|rerank|evidence)":[0-9.]+/"\1":N/g' \
        -e 's/"chunk":"[^"]*"/"chunk":"ID"/g' \
        -e 's/"(ingested|modified)":"[^"]*"/"\1":"TIME"/g' \
        -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}/DATE/g' \
        -e 's/pid [0-9]+/pid N/' -e 's/<<[0-9a-f]{32}>>/<<MARK>>/g' \
        -e 's/,"bytes":[0-9]+\}$/,"bytes":N}/' \
        -e 's/^(size +)[0-9.]+ MB.*/\1N MB/' \
        -e "s|127.0.0.1:$(cat "$1/port" 2>/dev/null || echo none)|FAKE|g" \
        -e 's/\([0-9]+ ms\)/(N ms)/'
}

# run CASE.sh: leaves got.out, got.err, got.code in the case's folder
run() {
    dir=$work/$(basename "$(dirname "$1")").$(basename "$1" .sh)
    mkdir "$dir" "$dir/home" "$dir/w"
    # shellcheck disable=SC2016 # the inner shell's names
    (cd "$dir/w" && exec env -i PATH="$work/bin:/usr/bin:/bin" HOME="$dir/home" \
        LC_ALL=C.UTF-8 TZ=UTC CASES="$cases" \
        ${RAG_TEST_MODEL:+"RAG_TEST_MODEL=$RAG_TEST_MODEL"} \
        FAKELLM="$(dirname "$bin")/tests/fakellm" \
        ASAN_OPTIONS=detect_leaks=1 \
        timeout 60 sh -c '. "$CASES/lib.sh"; . "$0"' "$1" \
        >"$dir/raw.out" 2>"$dir/raw.err" </dev/null)
    echo $? >"$dir/got.code"
    normalise "$dir" <"$dir/raw.out" >"$dir/got.out"
    normalise "$dir" <"$dir/raw.err" >"$dir/got.err"
}

# One of out, err, code: against the golden file
same() {
    want=$2.$1
    if [ -n "$update" ]; then
        if [ -s "$dir/got.$1" ] && { [ "$1" != code ] || [ "$(cat "$dir/got.code")" != 0 ]; }; then
            cp "$dir/got.$1" "$want"
        else
            rm -f "$want"
        fi
        return 0
    fi
    if [ ! -e "$want" ]; then
        want=$work/empty
        : >"$want"
        [ "$1" != code ] || echo 0 >"$want"
    fi
    diff -u --label "$2.$1" --label got "$want" "$dir/got.$1"
}

n=0 bad=0 skipped=0
# shellcheck disable=SC2046 # one word a folder
[ $# -gt 0 ] || set -- $(cd "$cases" && find . -mindepth 2 -name '*.sh' | cut -d/ -f2 | sort -u)
for command in "$@"; do
    for case in "$cases/$command"/*.sh; do
        [ -e "$case" ] || { echo "no cases for $command"; exit 1; }
        name=${case%.sh}
        run "$case"
        n=$((n + 1))
        if [ "$(cat "$dir/got.code")" = 77 ]; then
            skipped=$((skipped + 1))
            echo "skipped: $command/$(basename "$name"): $(tail -n 1 "$dir/raw.err")"
            continue
        fi
        ok=1
        for part in out err code; do
            same $part "$name" || ok=
        done
        [ -n "$ok" ] || { bad=$((bad + 1)); echo "FAILED: $command/$(basename "$name")"; }
        chmod -R u+rwx "$dir" 2>/dev/null
        rm -rf "$dir"
    done
done
echo "$n cases, $bad failed, $skipped skipped"
[ "$bad" = 0 ] || exit 1
[ "$skipped" != "$n" ] || exit 77

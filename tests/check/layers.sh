#!/bin/sh
# Keeps the arrows of the house. usage: layers.sh REPO_ROOT
set -eu
cd "$1"
bad=0
say() { echo "$*"; bad=1; }

# room: what it may include (itself and same-folder names are always allowed)
rules='
base:
net: base
doc: base
nn: base
store: base
model: base net nn
flow: base doc nn store model rag.h
serve: base rag.h
cli: base serve rag.h
'
for f in $(find lib cli -name '*.[ch]' | sort); do
    case $f in
    lib/rag.h) room=base ;;
    lib/*/*) room=${f#lib/} room=${room%%/*} ;;
    cli/*) room=cli ;;
    *) say "$f: no room for this file"; continue ;;
    esac
    allowed=" $room $(printf '%s' "$rules" | sed -n "s/^$room://p") "
    # shellcheck disable=SC2013 # one word an include
    for inc in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f"); do
        case $inc in
        rag.h) to=rag.h ;;
        */*) to=${inc%%/*} ;;
        *) to=$room ;;
        esac
        case $allowed in
        *" $to "*) ;;
        *) say "$f: may not include \"$inc\" ($room -> $to)" ;;
        esac
    done
done

# only PATTERN FILES: lines matching PATTERN may appear in FILES only
only() {
    for f in $(grep -rlE --include='*.[ch]' "$1" lib cli || true); do
        case " $2 " in *" $f "*) ;; *) say "$f: only $2 may have: $1" ;; esac
    done
}
only '^#include <cjson/' 'lib/base/json.c'
only '^#include <seccomp' 'lib/doc/sandbox.c'
only '^#include <libstemmer' 'lib/base/stem.c'
only '^#include <curl/' 'lib/net/http_wire.c'
only '^#include <nettle/' 'lib/base/hash.c lib/base/base64.c'
only '^#include <ini.h>' 'cli/settings_file.c'
only '^#include <utf8proc' 'lib/base/utf8.c'
only '^#include <xxhash' 'lib/base/hash.c'
only '^#include <md4c' 'lib/doc/read_markdown.c'
only '^#include <gumbo' 'lib/doc/html_tree.h'
only '^#include <uchardet/' 'lib/doc/guess.c'
only '^#include <iconv' 'lib/doc/guess.c lib/doc/charset.c'
only 'pthread_create *\(' 'lib/base/pool.c'
only 'dlopen *\(' 'lib/net/http_wire.c lib/store/blas.c'
only '^#include <faiss/' 'lib/store/vindex.c'
only '^#include <sqlite3' 'lib/store/store.c lib/store/store_priv.h lib/store/schema.c lib/store/docs.c lib/store/lexical.c lib/store/lexical.h'

# never FILES-TO-SKIP NAMES: calls that have no place in lib/
never() {
    names=$(echo "$2" | tr ' ' '|')
    hits=$(grep -rnE --include='*.[ch]' "(^|[^.>_[:alnum:]])($names) *\(" lib | grep -vE "^($1):" || true)
    [ -z "$hits" ] || say "$hits"
}
never - 'strcpy strcat sprintf vsprintf strncpy strncat strtok gets atoi atof sscanf alloca'
never - 'exit abort printf puts setlocale'
never 'lib/base/mem.c|lib/base/utf8.c|lib/base/file.c' 'malloc calloc realloc free strdup strndup'
never lib/nn/cpu.c 'getenv'

dup=$(find lib cli tests/unit -name '*.[ch]' ! -name main.c | sed 's|.*/||' | sort | uniq -d)
[ -z "$dup" ] || say "two files with one name: $dup"
exit $bad

#!/bin/sh
# The unit tests of the rooms that handle foreign bytes, under valgrind.
# usage: valgrind.sh BUILD_DIR
set -eu
bad=0
for t in "$1"/tests/t_*; do
    case ${t##*/} in
    # too slow under valgrind, and covered by the address sanitizer
    t_encoder | t_kern | t_vindex | t_vindex_file | t_http | t_embed | t_chat | t_sandbox | *.c | *.o) continue ;;
    t_read_pdf | t_store_crash | t_chunk | t_tokens | t_store) continue ;;
    esac
    [ -x "$t" ] || continue
    rc=0
    timeout 300 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
        "$t" >"$1/valgrind.log" 2>&1 || rc=$?
    case $rc in
    0 | 77) ;;
    *)
        echo "valgrind: ${t##*/} ($rc)"
        tail -n 40 "$1/valgrind.log"
        bad=1
        ;;
    esac
done
exit $bad

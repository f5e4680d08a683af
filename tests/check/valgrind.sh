#!/bin/sh
# Unit tests of pure work on foreign bytes, under valgrind. The others run under
# the address sanitizer: they are too slow here, start children, or load
# libraries (iconv's modules), where valgrind 3.19 takes glibc's own strncmp for
# an error.
# usage: valgrind.sh BUILD_DIR
set -eu
bad=0
for t in t_base t_base64 t_ignore t_lex_codec t_pdf_text t_phrase t_query t_sse t_words; do
    rc=0
    timeout 300 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
        "$1/tests/$t" >"$1/valgrind.log" 2>&1 || rc=$?
    if [ "$rc" -ne 0 ]; then
        echo "valgrind: $t ($rc)"
        tail -n 40 "$1/valgrind.log"
        bad=1
    fi
done
exit $bad

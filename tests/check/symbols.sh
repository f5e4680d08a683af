#!/bin/sh
# librag.a exports rag_* and nothing else, but for the functions that FAISS's C
# headers declare and the BLAS names that static FAISS wants.
# usage: symbols.sh REPO_ROOT ARCHIVE
set -eu
cd "$1"
allowed='^(rag_|faiss_|[sd](gemm|syrk|syev|gesvd|geqrf|orgqr|getrf|getri|gelsd)_$)'
bad=$(nm --defined-only -g "$2" 2>/dev/null |
    awk 'NF == 3 && $2 ~ /[TDBRCGS]/ {print $3}' | grep -vE "$allowed" | sort -u || true)
if [ -n "$bad" ]; then
    echo "names that $2 must not export:"
    echo "$bad"
    exit 1
fi

#ifndef RAG_STORE_BLAS_H
#define RAG_STORE_BLAS_H

/*
 * blas — the 13 BLAS and LAPACK functions that static FAISS refers to, as
 * forwarders to a library loaded on first need. A process that never trains a
 * vector index never pays for OpenBLAS (measured: 2 to 3 ms of every start).
 * FAISS searches one query without BLAS; only training and assigning need it,
 * and they call rag_blas_need() first: a forwarder cannot report a failure.
 *
 * Private to the store room.
 * Errors:  RAG_E_UNSUPPORTED names the package to install.
 * Threads: safe to share.
 */

#include "base/status.h"

#include <stdbool.h>

/* Loads the library when that did not happen yet. */
RAG_NODISCARD rag_status rag_blas_need(rag_error *err);
/* The same from the first of the given sonames that loads (NULL ends the
 * list); for tests too. */
RAG_NODISCARD rag_status rag_blas_load(const char *const *sonames,
                                       rag_error *err);
bool rag_blas_loaded(void);

#endif /* RAG_STORE_BLAS_H */

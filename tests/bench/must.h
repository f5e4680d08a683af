#ifndef RAG_TESTS_MUST_H
#define RAG_TESTS_MUST_H

/* A measurement ends at the first failure. */

#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

static rag_error err;

static inline void must(rag_status st)
{
    if (st == RAG_OK)
        return;
    fprintf(stderr, "%s: %s\n", rag_status_name(st), err.msg);
    exit(1);
}

#endif /* RAG_TESTS_MUST_H */

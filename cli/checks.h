#ifndef RAG_CLI_CHECKS_H
#define RAG_CLI_CHECKS_H

/*
 * checks — lines of "ok", "warn" and "fail" as doctor and the model test print
 * them: one line each for people, one document for --json.
 *
 * Owns:    checks, from checks_begin() to checks_dispose().
 */

#include "out.h"

typedef struct checks {
    cmd_run *run;     /* set by the caller, the rest is zero */
    rag_jw *w;        /* --json */
    rag_status worst; /* of the first failure */
    unsigned n_warn;
    unsigned n_fail;
} checks;

RAG_NODISCARD rag_status checks_begin(checks *c, const char *schema,
                                      rag_error *err);
/* One line; a rag_check_fn. */
void checks_line(void *ctx, const rag_check_line *line);
RAG_NODISCARD rag_status checks_end(checks *c, rag_error *err);
void checks_dispose(checks *c);

/* 0 unless something failed; then the code of the first failure. */
int checks_exit(const checks *c);

#endif /* RAG_CLI_CHECKS_H */

#ifndef RAG_CLI_OPT_H
#define RAG_CLI_OPT_H

/*
 * opt — one table of options parses the command line and prints the help.
 *
 * Long options take their value behind '=' or as the next word; short ones can
 * be joined (-qv, -k5). "--" ends the options; "-" alone is an argument.
 * Unknown options are answered with the nearest known one.
 */

#include "base/status.h"

typedef enum opt_kind {
    OPT_FLAG,  /* bool *: set to true */
    OPT_STR,   /* const char **: the last one counts */
    OPT_LIST,  /* opt_list *: every one counts */
    OPT_SIZE,  /* size_t *: 0 and above */
    OPT_COUNT, /* size_t *: 1 and above; 0 in *value: not given */
    OPT_NUM    /* double * */
} opt_kind;

typedef struct opt_list {
    const char **items; /* [n], freed with opt_list_free() */
    size_t n;
    size_t cap;
} opt_list;

typedef struct opt {
    opt_kind kind;
    char letter; /* 0: none */
    const char *name;
    void *value;
    const char *placeholder; /* NULL for flags */
    const char *help;
} opt;

/* Ends a table. */
#define OPT_END                                                                \
    {                                                                          \
        OPT_FLAG, 0, NULL, NULL, NULL, NULL                                    \
    }

/* Parses argv[1..argc) by the tables (either may be NULL); what is no option is
 * moved to the front of argv, *n_args of them, from argv[0] on. */
RAG_NODISCARD rag_status opt_parse(int *n_args, int argc, char **argv,
                                   const opt *own, const opt *global,
                                   rag_error *err);
void opt_list_free(opt_list *l);

/* Appends the options as the help shows them. */
struct rag_buf;
void opt_help(struct rag_buf *out, const opt *table);

/* The name nearest to a mistyped one, or NULL. */
const char *opt_nearest(const char *typed, const char *const *names, size_t n);

#endif /* RAG_CLI_OPT_H */

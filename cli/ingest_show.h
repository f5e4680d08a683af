#ifndef RAG_CLI_INGEST_SHOW_H
#define RAG_CLI_INGEST_SHOW_H

/*
 * ingest_show — what people and programs see of `rag ingest`: a line or an
 * object a file while it works, the sums behind it.
 *
 * Errors:  RAG_E_NOMEM.
 */

#include "base/arena.h"
#include "base/json.h"
#include "cmd.h"

typedef struct ingest_show {
    cmd_run *run;
    bool dry_run;
    bool no_embed;          /* by a flag */
    rag_arena arena;        /* --json: what the files say, in the order they */
    rag_ingest_file *files; /* [n_files] were done */
    size_t n_files;
    size_t cap_files;
    bool no_memory;
    rag_buf jsonl;
} ingest_show;

/* run is borrowed until _dispose(). */
void ingest_show_init(ingest_show *s, cmd_run *run);
void ingest_show_dispose(ingest_show *s);

/* For rag_ingest_watch; ctx: an ingest_show. */
void ingest_show_file(void *ctx, const rag_ingest_file *file);
void ingest_show_progress(void *ctx, const rag_ingest_progress *p);
void ingest_show_note(void *ctx, const char *line);

/* The sums, for people, on stderr. */
void ingest_show_text(const ingest_show *s, const rag_ingest_report *r);
/* --json: the document, files by path. */
RAG_NODISCARD rag_status ingest_show_json(ingest_show *s,
                                          const rag_ingest_report *rep,
                                          rag_error *err);

#endif /* RAG_CLI_INGEST_SHOW_H */

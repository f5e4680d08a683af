#ifndef RAG_CLI_TERM_H
#define RAG_CLI_TERM_H

/*
 * term — stdout for results, stderr for people: colour, the progress line,
 * Ctrl-C, and the check that everything reached stdout.
 *
 * stdout carries the answer only. The first failure to write it (full disk) is
 * remembered and told at the end; a reader that went away (EPIPE) ends the
 * program as SIGPIPE does.
 */

#include "base/buf.h"
#include "rag.h"

typedef struct term {
    bool out_tty;
    bool err_tty;
    bool color; /* of stdout */
    bool quiet;
    bool verbose;
    bool progress_shown;
    double progress_last_ms;
    int out_errno; /* first failure of stdout */
} term;

typedef enum term_style {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_PATH, /* a document's name */
    TERM_WARN
} term_style;

/* color: "auto", "always", "never" or NULL; false: something else. */
bool term_init(term *t, const char *color, bool quiet, bool verbose);

/* stdout. Bytes as they are; text from documents and models goes through
 * term_text, which shows escapes instead of sending them. */
void term_out(term *t, rag_str s);
void term_outz(term *t, const char *s);
void term_text(term *t, rag_str s);
/* A word or name with a style, made safe; always on one line. */
void term_styled(term *t, term_style style, rag_str s);
void term_flush(term *t);

/* stderr: a line for people. warn also under -q; info not; verbose with -v. */
void term_warn(term *t, const char *fmt, ...) RAG_PRINTF(2, 3);
void term_info(term *t, const char *fmt, ...) RAG_PRINTF(2, 3);
void term_verbose(term *t, const char *fmt, ...) RAG_PRINTF(2, 3);

/* The progress line: on a terminal only, at most 10 times a second. */
void term_progress(term *t, const rag_ingest_progress *p);
void term_progress_end(term *t);

/* Ctrl-C: the first sets the flag, the second ends the program. Ignored when
 * the parent ignores it. */
void term_catch_interrupt(void);
bool term_interrupted(void *unused);

/* Closes stdout. Returns code, or what a failure to write makes of it. */
int term_finish(term *t, int code);

#endif /* RAG_CLI_TERM_H */

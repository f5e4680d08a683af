#ifndef RAG_CLI_CMD_H
#define RAG_CLI_CMD_H

/*
 * cmd — what every subcommand is and shares: its options, the settings and the
 * store they open, and how it ends.
 */

#include "opt.h"
#include "rag.h"
#include "settings.h"
#include "term.h"

/* Exit codes are API: docs/cli.md. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_NOTHING = 1, /* no answer, nothing found */
    EXIT_USAGE = 2,
    EXIT_PARTIAL = 3,
    EXIT_KEY = 4,
    EXIT_ENDPOINT = 5,
    EXIT_BUSY = 6,
    EXIT_DAMAGED = 7,
    EXIT_MACHINE = 8,
    EXIT_INTERRUPTED = 130
};

/* The exit code of a status. */
int exit_of(rag_status st);

/* What the options that every command takes were set to. */
typedef struct cmd_global {
    const char *store;
    bool json;
    bool jsonl;
    bool quiet;
    bool verbose;
    const char *color;
    bool help;
} cmd_global;

typedef struct cmd_run {
    const cmd_global *global;
    int argc; /* what is left after the options */
    char **argv;
    term *term;
    settings *settings;
    rag_config config;
} cmd_run;

typedef struct cmd {
    const char *name;
    const char *args;     /* "PATH..." */
    const char *summary;  /* one line */
    const char *examples; /* some lines, or NULL */
    const opt *options;   /* ends with OPT_END */
    /* Returns the exit code; err for a failure that has not been told yet. */
    int (*run)(cmd_run *run, rag_error *err);
} cmd;

extern const cmd *const commands[];
extern const size_t n_commands;

/* Tells a failure as the contract wants it (one line on stderr, an error object
 * on stdout under --json) and returns its exit code. */
int cmd_fail(const cmd_run *run, const rag_error *err);
/* The same with another exit code than the failure's own. */
int cmd_fail_as(const cmd_run *run, const rag_error *err, int exit);
/* The same for wrong usage. */
int cmd_usage(const cmd_run *run, const char *fmt, ...) RAG_PRINTF(2, 3);

/* The same for a word that is no command; names the nearest one. */
int cmd_unknown(const cmd_run *run, const char *name);

/* The value of --mode into *out (NULL: not given); false: it was told as wrong
 * usage. */
bool cmd_mode(rag_mode *out, const cmd_run *run, const char *given);

/* Makes run->config of the settings, again after a flag changed them. */
RAG_NODISCARD rag_status cmd_configure(cmd_run *run, rag_error *err);

/* RAG_E_INVAL says why no store can be had at all (no HOME, another user's). */
RAG_NODISCARD rag_status cmd_need_store(const cmd_run *run, rag_error *err);

/* Opens the store of the settings; RAG_E_NOTFOUND becomes a usage error that
 * names the command that makes one. */
RAG_NODISCARD rag_status cmd_open(rag **out, cmd_run *run, rag_open_mode mode,
                                  size_t wait_s, rag_error *err);

/* Help of one command, or of all. */
void cmd_help(rag_buf *out, const cmd *c, const opt *global);
void cmd_help_all(rag_buf *out, const opt *global);
const cmd *cmd_find(const char *name);
const opt *cmd_global_options(void);

#endif /* RAG_CLI_CMD_H */

#ifndef RAG_DOC_SANDBOX_H
#define RAG_DOC_SANDBOX_H

/*
 * sandbox — runs one program that parses a hostile file, and lets it do nothing
 * but read and compute.
 *
 * The child gets an empty environment, stdin, stdout and stderr and no other
 * descriptor, its own process group, limits on memory, CPU and wall time, and
 * on what it prints. Files it cannot write (limit 0). A list of allowed system
 * calls (seccomp) leaves it reading files, memory and its own end: no sockets,
 * no processes, no signals to others, no opening for writing. The one exec that
 * starts it is allowed by the addresses of its three arguments, which a program
 * already started cannot guess: any other exec kills it. It dies with the
 * thread that started it.
 *
 * A kernel without seccomp still runs the child under all other limits, and
 * `unfiltered` says so: a document that cannot be read at all on such a machine
 * would help nobody. An install that fails for any other reason is an error.
 *
 * Needs no privilege, no /proc and no /dev.
 *
 * Errors:  RAG_E_NOTFOUND (no such program), RAG_E_LIMIT (names the limit),
 *          RAG_E_CANCELLED, RAG_E_IO, RAG_E_NOMEM, or what on_out returned.
 * Threads: safe to share. The program must not ignore SIGCHLD.
 */

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

/* What is kept of stderr: enough for the first few lines, which tell why. */
#define RAG_SANDBOX_SAID_BYTES 2048u

typedef struct rag_sandbox_spec {
    const char *const *argv;   /* argv[0] an absolute path; ends with NULL */
    int in_fd;                 /* becomes stdin, borrowed; -1: an empty stdin */
    uint64_t max_out_bytes;    /* of stdout */
    uint64_t max_memory_bytes; /* address space; 0: no limit */
    uint32_t max_cpu_secs;
    uint32_t max_wall_ms;
    /* Called with stdout as it comes; anything but RAG_OK ends the child. */
    rag_status (*on_out)(void *ctx, rag_str bytes, rag_error *err);
    void *out_ctx;
    bool (*cancelled)(void *ctx); /* asked every 50 ms; may be NULL */
    void *cancel_ctx;
} rag_sandbox_spec;

typedef struct rag_sandbox_end {
    int exit_code;       /* -1 when a signal ended it */
    int term_signal;     /* 0 when it exited */
    bool unfiltered;     /* this kernel has no seccomp */
    uint64_t peak_bytes; /* largest resident set of the child */
    char said[RAG_SANDBOX_SAID_BYTES + 1]; /* start of stderr, NUL behind it;
                                            * raw bytes of the child */
} rag_sandbox_end;

/* Runs spec to its end. RAG_OK means that the child ended by itself: exit_code
 * and term_signal then say how. On failure it has been killed and reaped. */
RAG_NODISCARD rag_status rag_sandbox_run(rag_sandbox_end *out,
                                         const rag_sandbox_spec *spec,
                                         rag_error *err);

#endif /* RAG_DOC_SANDBOX_H */

#ifndef RAG_BASE_STATUS_H
#define RAG_BASE_STATUS_H

/*
 * status — how every fallible function of the project reports.
 *
 * A function returns rag_status and takes `rag_error *err` last (NULL allowed).
 * The function that detects a failure writes the message once, with rag_fail();
 * everybody above passes `err` on. The text is one line, lower case, without a
 * full stop, and says what failed, where, and what to do.
 */

#include <stdarg.h>
#include <stddef.h>

#if defined(__GNUC__)
#define RAG_NODISCARD __attribute__((warn_unused_result))
#define RAG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RAG_NODISCARD
#define RAG_PRINTF(fmt, args)
#endif

typedef enum rag_status {
    RAG_OK = 0,
    RAG_E_NOMEM = -1,        /* out of memory */
    RAG_E_INVAL = -2,        /* wrong usage or configuration */
    RAG_E_IO = -3,           /* the machine: disk, permission */
    RAG_E_NOTFOUND = -4,     /* no such file, document, model */
    RAG_E_FORMAT = -5,       /* malformed bytes in a file or a reply */
    RAG_E_LIMIT = -6,        /* a named cap was reached */
    RAG_E_NET = -7,          /* could not talk to an endpoint */
    RAG_E_REMOTE = -8,       /* the endpoint answered with an error */
    RAG_E_DB = -9,           /* SQLite failed in a way not listed below */
    RAG_E_INDEX = -10,       /* the vector index file is unusable (a cache) */
    RAG_E_CANCELLED = -11,   /* the cancel callback said stop */
    RAG_E_UNSUPPORTED = -12, /* known, but not handled by this build */
    RAG_E_AUTH = -13,        /* key missing or refused */
    RAG_E_BUSY = -14,        /* another process holds the store */
    RAG_E_CORRUPT = -15, /* store or model file damaged or of another version */
    RAG_E_MISMATCH = -16,  /* store was made with another embedding model */
    RAG_E_PROTECTED = -17, /* document is encrypted */
    RAG_E_NOTEXT = -18,    /* document has no text (a scan) */
    RAG_E_EMPTY = -19      /* document holds nothing: skipped, no failure */
} rag_status;

typedef struct rag_error {
    rag_status code;
    char msg[512]; /* NUL-terminated UTF-8, one line; long text is cut */
} rag_error;

/* Writes the message into err (when not NULL) and returns code. */
rag_status rag_fail(rag_error *err, rag_status code, const char *fmt, ...)
    RAG_PRINTF(3, 4);

/* The same for out of memory; needs no memory itself. */
rag_status rag_fail_nomem(rag_error *err);

/* The same for a failed system call: appends strerror(errnum). ENOSPC, EACCES
 * and the like become RAG_E_IO, ENOENT RAG_E_NOTFOUND, ENOMEM RAG_E_NOMEM. */
rag_status rag_fail_errno(rag_error *err, int errnum, const char *fmt, ...)
    RAG_PRINTF(3, 4);

/* Puts "prefix: " before the message already in err; returns err's code, or
 * code when err is NULL. For boundaries that know more (a path, a row). */
rag_status rag_fail_prefix(rag_error *err, rag_status code, const char *fmt,
                           ...) RAG_PRINTF(3, 4);

void rag_error_clear(rag_error *err);

/* Short upper-case name: "E_FORMAT". Never NULL. */
const char *rag_status_name(rag_status st);

/* The only macro that hides a jump: on failure, st is set and control goes to
 * the function's single exit `out:`. */
#define TRY(call)                                                              \
    do {                                                                       \
        st = (call);                                                           \
        if (st != RAG_OK)                                                      \
            goto out;                                                          \
    } while (0)

#endif /* RAG_BASE_STATUS_H */

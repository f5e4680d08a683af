#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put(rag_error *err, rag_status code, const char *fmt, va_list ap)
    RAG_PRINTF(3, 0);

static void put(rag_error *err, rag_status code, const char *fmt, va_list ap)
{
    int n;

    if (err == NULL)
        return;
    err->code = code;
    n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    if (n < 0)
        err->msg[0] = '\0';
    /* one line, whatever a foreign text held */
    for (char *p = err->msg; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
}

rag_status rag_fail(rag_error *err, rag_status code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(err, code, fmt, ap);
    va_end(ap);
    return code;
}

rag_status rag_fail_nomem(rag_error *err)
{
    return rag_fail(err, RAG_E_NOMEM, "out of memory");
}

rag_status rag_fail_errno(rag_error *err, int errnum, const char *fmt, ...)
{
    rag_status code = RAG_E_IO;
    char scratch[128];
    const char *why;
    va_list ap;

    if (errnum == ENOENT || errnum == ENOTDIR)
        code = RAG_E_NOTFOUND;
    else if (errnum == ENOMEM)
        code = RAG_E_NOMEM;
    if (err == NULL)
        return code;
    va_start(ap, fmt);
    put(err, code, fmt, ap);
    va_end(ap);
    why = strerror_r(errnum, scratch, sizeof scratch); /* the GNU one */
    {
        size_t n = strlen(err->msg);
        int m = snprintf(err->msg + n, sizeof err->msg - n, ": %s", why);

        (void)m; /* cut on purpose */
    }
    return code;
}

rag_status rag_fail_prefix(rag_error *err, rag_status code, const char *fmt,
                           ...)
{
    rag_error old;
    va_list ap;

    if (err == NULL)
        return code;
    old = *err;
    va_start(ap, fmt);
    put(err, old.code != RAG_OK ? old.code : code, fmt, ap);
    va_end(ap);
    {
        size_t n = strlen(err->msg);
        int m = snprintf(err->msg + n, sizeof err->msg - n, ": %s", old.msg);

        (void)m;
    }
    return err->code;
}

void rag_error_clear(rag_error *err)
{
    if (err != NULL) {
        err->code = RAG_OK;
        err->msg[0] = '\0';
    }
}

const char *rag_status_name(rag_status st)
{
    switch (st) {
    case RAG_OK:
        return "OK";
    case RAG_E_NOMEM:
        return "E_NOMEM";
    case RAG_E_INVAL:
        return "E_INVAL";
    case RAG_E_IO:
        return "E_IO";
    case RAG_E_NOTFOUND:
        return "E_NOTFOUND";
    case RAG_E_FORMAT:
        return "E_FORMAT";
    case RAG_E_LIMIT:
        return "E_LIMIT";
    case RAG_E_NET:
        return "E_NET";
    case RAG_E_REMOTE:
        return "E_REMOTE";
    case RAG_E_DB:
        return "E_DB";
    case RAG_E_INDEX:
        return "E_INDEX";
    case RAG_E_CANCELLED:
        return "E_CANCELLED";
    case RAG_E_UNSUPPORTED:
        return "E_UNSUPPORTED";
    case RAG_E_AUTH:
        return "E_AUTH";
    case RAG_E_BUSY:
        return "E_BUSY";
    case RAG_E_CORRUPT:
        return "E_CORRUPT";
    case RAG_E_MISMATCH:
        return "E_MISMATCH";
    case RAG_E_PROTECTED:
        return "E_PROTECTED";
    case RAG_E_NOTEXT:
        return "E_NOTEXT";
    case RAG_E_EMPTY:
        return "E_EMPTY";
    }
    return "E_UNKNOWN";
}

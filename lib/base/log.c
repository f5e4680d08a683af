#include "base/log.h"

#include <stdio.h>

static rag_log_fn sink;
static void *sink_ctx;
static rag_log_level sink_least;

void rag_log_to(rag_log_fn fn, void *ctx, rag_log_level least)
{
    sink = fn;
    sink_ctx = ctx;
    sink_least = least;
}

void rag_log(rag_log_level level, const char *fmt, ...)
{
    char msg[1024];
    va_list ap;

    if (sink == NULL || level < sink_least)
        return;
    va_start(ap, fmt);
    if (vsnprintf(msg, sizeof msg, fmt, ap) < 0)
        msg[0] = '\0';
    va_end(ap);
    sink(sink_ctx, level, msg);
}

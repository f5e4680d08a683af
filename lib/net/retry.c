#include "net/retry.h"

#include <string.h>

/* A longer wait than a year is no date of a server in its senses. */
#define MAX_SECONDS 31536000.0

bool rag_retry_status(long status)
{
    return status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static bool digits(int *out, rag_str s)
{
    uint64_t n;

    if (!rag_str_u64(&n, s) || n > 9999)
        return false;
    *out = (int)n;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": the only form that may still be sent */
static bool http_date(time_t *out, rag_str s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;

    memset(&t, 0, sizeof t);
    if (s.len != 29 || s.ptr[3] != ',' || !rag_str_ends(s, " GMT") ||
        !digits(&t.tm_mday, rag_str_cut(s, 5, 7)) ||
        !digits(&t.tm_year, rag_str_cut(s, 12, 16)) ||
        !digits(&t.tm_hour, rag_str_cut(s, 17, 19)) ||
        !digits(&t.tm_min, rag_str_cut(s, 20, 22)) ||
        !digits(&t.tm_sec, rag_str_cut(s, 23, 25)))
        return false;
    while (t.tm_mon < 12 &&
           memcmp(months + 3 * (size_t)t.tm_mon, s.ptr + 8, 3) != 0)
        t.tm_mon++;
    if (t.tm_mon == 12)
        return false;
    t.tm_year -= 1900;
    *out = timegm(&t);
    return *out != (time_t)-1;
}

int64_t rag_retry_after_ms(rag_str value, time_t now)
{
    double s;
    time_t when;

    value = rag_str_trim(value);
    if (rag_str_double(&s, value))
        return s >= 0 && s <= MAX_SECONDS ? (int64_t)(s * 1000) : -1;
    if (!http_date(&when, value))
        return -1;
    s = difftime(when, now);
    return s <= 0 ? 0 : s <= MAX_SECONDS ? (int64_t)s * 1000 : -1;
}

int64_t rag_retry_pause_ms(int64_t base_ms, size_t n_tries, uint64_t random)
{
    int64_t pause = base_ms;

    for (size_t i = 1; i < n_tries && pause < RAG_RETRY_MAX_PAUSE_MS; i++)
        pause *= 2;
    if (pause > RAG_RETRY_MAX_PAUSE_MS)
        pause = RAG_RETRY_MAX_PAUSE_MS;
    return pause / 2 + (int64_t)(random % (uint64_t)(pause + 1));
}

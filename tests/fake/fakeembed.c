/* Vectors for fakellm: a hash of the text, or a hashed bag of its words, so
 * that texts about the same things lie close together. */
#include "fakellm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define MAX_DIMS 8192
#define MAX_TEXTS 65536

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static void add_feature(int *v, size_t dims, const char *s, size_t n, int by)
{
    uint64_t h = mix(rag_hash_fast(s, n));

    v[h % dims] += (h >> 40 & 1) != 0 ? by : -by;
    h = mix(h);
    v[h % dims] += (h >> 40 & 1) != 0 ? by : -by;
}

/* Function words would make everything alike. */
static bool is_stop(const char *w, size_t n)
{
    static const char list[] =
        " the and for are was were with that this from have has not but you "
        "your what which when where how who why does did can will would "
        "should into its about than then them they there their passage query "
        "document section ";
    char padded[32];

    if (n < 3)
        return (unsigned char)w[0] < 0x80 && !isdigit((unsigned char)w[0]);
    if (n + 3 > sizeof padded)
        return false;
    (void)snprintf(padded, sizeof padded, " %.*s ", (int)n, w);
    return strstr(list, padded) != NULL;
}

static void add_word(int *v, size_t dims, const char *w, size_t n)
{
    if (is_stop(w, n))
        return;
    add_feature(v, dims, w, n, 100);
    if ((unsigned char)w[0] < 0x80) {
        if (n > 5) /* inflected forms share their beginning */
            add_feature(v, dims, w, 5, 60);
        return;
    }
    for (size_t i = 0; i + 6 <= n; i += 3) /* Hangul, Han: pairs of 3 bytes */
        add_feature(v, dims, w + i, 6, 60);
}

static void words_vector(int *v, size_t dims, rag_str text)
{
    char word[64];
    size_t n = 0;

    for (size_t i = 0; i <= text.len; i++) {
        unsigned char c = i < text.len ? (unsigned char)text.ptr[i] : ' ';

        if (c >= 0x80 || isalnum(c)) {
            if (n < sizeof word)
                word[n++] = (char)tolower(c);
            continue;
        }
        if (n != 0)
            add_word(v, dims, word, n);
        n = 0;
    }
}

static void hash_vector(int *v, size_t dims, rag_str text)
{
    uint64_t h = rag_hash_fast(text.ptr, text.len);

    for (size_t i = 0; i < dims; i++)
        v[i] = (int)(mix(h + i) % 1999) - 999;
}

/* v / 1000 as JSON: speed counts here, so no printf. */
static char *put_thousandth(char *p, int v)
{
    unsigned u = v < 0 ? (unsigned)-v : (unsigned)v;

    if (v < 0)
        *p++ = '-';
    if (u >= 1000)
        p += sprintf(p, "%u", u / 1000);
    else
        *p++ = '0';
    *p++ = '.';
    *p++ = (char)('0' + u / 100 % 10);
    *p++ = (char)('0' + u / 10 % 10);
    *p++ = (char)('0' + u % 10);
    return p;
}

static void put_floats(rag_buf *b, const fake_request *r, const int *v,
                       size_t dims)
{
    char *p = rag_buf_reserve(b, dims * 16 + 2);
    char *start = p;

    if (p == NULL)
        return;
    *p++ = '[';
    for (size_t i = 0; i < dims; i++) {
        if (i != 0)
            *p++ = ',';
        p = put_thousandth(p, v[i]);
    }
    *p++ = ']';
    rag_buf_wrote(b, (size_t)(p - start));
    if (fake_has(r, "nan") || fake_has(r, "null") || fake_has(r, "str")) {
        rag_buf_trunc(b, b->len - 1);
        rag_buf_addz(b, fake_has(r, "nan")    ? ",NaN]"
                        : fake_has(r, "null") ? ",null]"
                                              : ",\"x\"]");
    }
}

static void put_base64(rag_buf *b, const int *v, size_t dims)
{
    static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = dims * 4;
    unsigned char *raw = calloc(n + 3, 1);

    if (raw == NULL)
        exit(1);
    for (size_t i = 0; i < dims; i++) {
        float f = (float)v[i] / 1000.0f;
        uint32_t u;

        memcpy(&u, &f, 4);
        for (size_t k = 0; k < 4; k++)
            raw[i * 4 + k] = (unsigned char)(u >> (8 * k));
    }
    rag_buf_addc(b, '"');
    for (size_t i = 0; i < n; i += 3) {
        uint32_t u = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 |
                     (uint32_t)raw[i + 2];

        rag_buf_addc(b, abc[u >> 18]);
        rag_buf_addc(b, abc[u >> 12 & 63]);
        rag_buf_addc(b, i + 1 < n ? abc[u >> 6 & 63] : '=');
        rag_buf_addc(b, i + 2 < n ? abc[u & 63] : '=');
    }
    rag_buf_addc(b, '"');
    free(raw);
}

/* What is not of the text but counts all the same. */
static void add_other(int *v, const fake_request *r)
{
    const rag_json *input = rag_json_get(r->json, "input");

    if (fake_has(r, "beside"))
        v[0] += 300 * (int)rag_json_count(input);
    if (fake_has(r, "drift"))
        v[0] += 100 * (int)(r->nth % 7);
}

static void put_vector(rag_buf *b, const fake_request *r, rag_str text,
                       bool base64)
{
    int v[MAX_DIMS];
    long dims = fake_num(r, "dims", 384);
    size_t window = (size_t)fake_num(r, "window", -1);

    dims = (long)rag_json_get_num(r->json, "dimensions", (double)dims);
    if (r->nth > 1)
        dims = fake_num(r, "dims2", dims);
    if (dims < 1 || dims > MAX_DIMS)
        dims = 384;
    memset(v, 0, (size_t)dims * sizeof *v);
    if (fake_has(r, "alike"))
        text = rag_str_n("", 0);
    text = rag_str_cut(text, 0, text.len < window ? text.len : window);
    if (!fake_has(r, "zero")) {
        if (fake_has(r, "words"))
            words_vector(v, (size_t)dims, text);
        else
            hash_vector(v, (size_t)dims, text);
        add_other(v, r);
        for (long i = 0;; i++) { /* nothing to say is a direction too */
            if (i == dims) {
                v[0] = 1000;
                break;
            }
            if (v[i] != 0)
                break;
        }
    }
    if (base64)
        put_base64(b, v, (size_t)dims);
    else
        put_floats(b, r, v, (size_t)dims);
}

static bool refused(const fake_request *r, const rag_str *texts, size_t n)
{
    char marker[128];

    if (n > (size_t)fake_num(r, "max", MAX_TEXTS))
        return true;
    for (size_t i = 0; i < n; i++)
        if (texts[i].len > (size_t)fake_num(r, "maxlen", 1 << 30))
            return true;
    if (!fake_opt(marker, sizeof marker, r, "marker"))
        return false;
    for (size_t i = 0; i < n; i++)
        if (rag_str_find(texts[i], rag_str_of(marker)) != SIZE_MAX)
            return true;
    return false;
}

static void put_item(rag_buf *b, const fake_request *r, size_t i, size_t n,
                     rag_str text, bool base64)
{
    if (r->ollama) {
        put_vector(b, r, text, false);
        return;
    }
    rag_buf_addz(b, "{\"object\":\"embedding\",\"embedding\":");
    put_vector(b, r, text, base64);
    if (fake_has(r, "dupindex"))
        i = 0;
    if (fake_has(r, "badindex"))
        i += n;
    if (!fake_has(r, "noindex"))
        rag_buf_addf(b, ",\"index\":%zu", i);
    rag_buf_addc(b, '}');
}

static void put_all(rag_buf *b, const fake_request *r, const rag_str *texts,
                    size_t n)
{
    rag_str format = rag_json_get_str(r->json, "encoding_format");
    bool base64 = rag_str_eqz(format, "base64") || fake_has(r, "base64");
    size_t out = (size_t)((long)n + fake_num(r, "count", 0));

    rag_buf_addz(b, r->ollama ? "{\"model\":\"fake\",\"embeddings\":["
                              : "{\"object\":\"list\",\"data\":[");
    for (size_t k = 0; k < out; k++) {
        size_t i = fake_has(r, "reverse") ? out - 1 - k : k;

        if (k != 0)
            rag_buf_addc(b, ',');
        put_item(b, r, i, n,
                 texts[i >= n                 ? 0
                       : fake_has(r, "shift") ? (i + 1) % n
                                              : i],
                 base64);
    }
    rag_buf_addz(b, r->ollama ? "],\"prompt_eval_count\":1}"
                              : "],\"model\":\"fake\",\"usage\":"
                                "{\"prompt_tokens\":1,\"total_tokens\":1}}");
}

bool fake_embed(fake_request *r)
{
    const rag_json *input = rag_json_get(r->json, "input");
    size_t n = rag_json_is_array(input) ? rag_json_count(input) : 1;
    rag_str *texts = calloc(n + 1, sizeof *texts);
    const rag_json *item = rag_json_first(input);
    char says[256];
    rag_buf b;
    bool ok;

    if (texts == NULL)
        exit(1);
    rag_buf_init(&b, (size_t)1 << 30);
    if (rag_json_is_null(input) || n > MAX_TEXTS) {
        ok = fake_error(r, 400, "'input' is required");
        goto out;
    }
    if (!rag_json_is_array(input))
        (void)rag_json_str(&texts[0], input);
    for (size_t i = 0; item != NULL; i++, item = rag_json_next(item))
        (void)rag_json_str(&texts[i], item);
    if (refused(r, texts, n)) {
        if (!fake_opt(says, sizeof says, r, "message"))
            (void)snprintf(says, sizeof says, "the input is too large");
        ok = fake_error(r, fake_num(r, "refuse", 400), says);
        goto out;
    }
    fake_count_texts(r, n);
    put_all(&b, r, texts, n);
    ok = fake_reply(r, 200, "application/json", &b);
out:
    rag_buf_dispose(&b);
    free(texts);
    return ok;
}

#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "base/utf8.h"

/* "-1.23456789e-38" and a comma before it fit twice */
#define FLOAT_BYTES 32u

/* rag_json is cJSON by another name; the casts stay in this file */
static const cJSON *in(const rag_json *v)
{
    return (const cJSON *)(const void *)v;
}

static const rag_json *outward(const cJSON *v)
{
    return (const rag_json *)(const void *)v;
}

/* cJSON says NULL for malformed text and for no memory; only we know. */
static _Thread_local bool starved;

static void *take(size_t n_bytes)
{
    void *p = rag_malloc(n_bytes);

    starved = starved || p == NULL;
    return p;
}

static void hooks(void)
{
    static bool done;
    cJSON_Hooks h = {take, rag_free};

    if (!__atomic_exchange_n(&done, true, __ATOMIC_RELAXED))
        cJSON_InitHooks(&h);
}

/* cJSON cuts strings at \u0000: such a document is refused. */
static bool has_nul_escape(rag_str s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.ptr[i] != '\\')
            continue;
        if (s.len - i >= 6 && memcmp(s.ptr + i + 1, "u0000", 5) == 0)
            return true;
        i++;
    }
    return false;
}

rag_status rag_json_parse(rag_json **out, rag_str text, size_t max_bytes,
                          const char *what, rag_error *err)
{
    const char *end = NULL;
    cJSON *root;
    rag_str rest;

    *out = NULL;
    hooks();
    if (text.len > max_bytes)
        return rag_fail(err, RAG_E_LIMIT, "%s: %zu bytes of JSON, at most %zu",
                        what, text.len, max_bytes);
    if (text.len == 0)
        return rag_fail(err, RAG_E_FORMAT, "%s: empty, JSON expected", what);
    if (memchr(text.ptr, 0, text.len) != NULL || !rag_utf8_valid(text))
        return rag_fail(err, RAG_E_FORMAT, "%s: JSON is not valid UTF-8", what);
    if (has_nul_escape(text))
        return rag_fail(err, RAG_E_FORMAT, "%s: JSON string with \\u0000",
                        what);
    starved = false;
    root = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, 0);
    if (root == NULL && starved)
        return rag_fail_nomem(err);
    if (root == NULL) {
        size_t at =
            end != NULL && end >= text.ptr ? (size_t)(end - text.ptr) : 0;

        return rag_fail(err, RAG_E_FORMAT, "%s: not JSON (near byte %zu)", what,
                        at);
    }
    rest = rag_str_trim(rag_str_cut(text, (size_t)(end - text.ptr), text.len));
    if (rest.len != 0) {
        cJSON_Delete(root);
        return rag_fail(err, RAG_E_FORMAT, "%s: text after the JSON value",
                        what);
    }
    *out = (rag_json *)(void *)root;
    return RAG_OK;
}

void rag_json_free(rag_json *root)
{
    cJSON_Delete((cJSON *)(void *)root);
}

const rag_json *rag_json_get(const rag_json *obj, const char *key)
{
    return rag_json_is_obj(obj)
               ? outward(cJSON_GetObjectItemCaseSensitive(in(obj), key))
               : NULL;
}

size_t rag_json_count(const rag_json *array_or_obj)
{
    size_t n = 0;

    for (const rag_json *i = rag_json_first(array_or_obj); i != NULL;
         i = rag_json_next(i))
        n++;
    return n;
}

const rag_json *rag_json_first(const rag_json *array_or_obj)
{
    if (!rag_json_is_array(array_or_obj) && !rag_json_is_obj(array_or_obj))
        return NULL;
    return outward(in(array_or_obj)->child);
}

const rag_json *rag_json_next(const rag_json *item)
{
    return item != NULL ? outward(in(item)->next) : NULL;
}

rag_str rag_json_key(const rag_json *item)
{
    return rag_str_of(item != NULL ? in(item)->string : NULL);
}

bool rag_json_is_null(const rag_json *v)
{
    return v == NULL || cJSON_IsNull(in(v));
}

bool rag_json_is_obj(const rag_json *v)
{
    return v != NULL && cJSON_IsObject(in(v));
}

bool rag_json_is_array(const rag_json *v)
{
    return v != NULL && cJSON_IsArray(in(v));
}

bool rag_json_str(rag_str *out, const rag_json *v)
{
    if (v == NULL || !cJSON_IsString(in(v)) || in(v)->valuestring == NULL)
        return false;
    *out = rag_str_of(in(v)->valuestring);
    return true;
}

bool rag_json_num(double *out, const rag_json *v)
{
    if (v == NULL || !cJSON_IsNumber(in(v)) || !isfinite(in(v)->valuedouble))
        return false;
    *out = in(v)->valuedouble;
    return true;
}

bool rag_json_i64(int64_t *out, const rag_json *v)
{
    double d;

    if (!rag_json_num(&d, v) || fabs(d) > 9007199254740992.0 || d != trunc(d))
        return false;
    *out = (int64_t)d;
    return true;
}

bool rag_json_bool(bool *out, const rag_json *v)
{
    if (v == NULL || !cJSON_IsBool(in(v)))
        return false;
    *out = cJSON_IsTrue(in(v)) != 0;
    return true;
}

rag_str rag_json_get_str(const rag_json *obj, const char *key)
{
    rag_str s = {"", 0};

    (void)rag_json_str(&s, rag_json_get(obj, key));
    return s;
}

double rag_json_get_num(const rag_json *obj, const char *key, double def)
{
    double d = def;

    (void)rag_json_num(&d, rag_json_get(obj, key));
    return d;
}

/* Our documents nest at most 5 deep. */
#define JW_DEPTH 16

struct rag_jw {
    cJSON *stack[JW_DEPTH];
    size_t depth;
    cJSON *root;
    bool failed;
};

rag_jw *rag_jw_new(void)
{
    hooks();
    return rag_calloc(1, sizeof(rag_jw));
}

void rag_jw_free(rag_jw *w)
{
    if (w == NULL)
        return;
    cJSON_Delete(w->root);
    rag_free(w);
}

static void put(rag_jw *w, const char *key, cJSON *item)
{
    cJSON *top;

    if (item == NULL || w->failed) {
        w->failed = true;
        cJSON_Delete(item);
        return;
    }
    if (w->depth == 0) {
        if (w->root != NULL) {
            cJSON_Delete(item);
            w->failed = true;
        } else {
            w->root = item;
        }
        return;
    }
    top = w->stack[w->depth - 1];
    if (!(cJSON_IsObject(top) ? cJSON_AddItemToObject(top, key, item)
                              : cJSON_AddItemToArray(top, item))) {
        cJSON_Delete(item);
        w->failed = true;
    }
}

static void enter(rag_jw *w, const char *key, cJSON *item)
{
    put(w, key, item);
    if (w->failed)
        return;
    if (w->depth == JW_DEPTH)
        w->failed = true;
    else
        w->stack[w->depth++] = item;
}

void rag_jw_obj(rag_jw *w, const char *key)
{
    enter(w, key, cJSON_CreateObject());
}

void rag_jw_array(rag_jw *w, const char *key)
{
    enter(w, key, cJSON_CreateArray());
}

void rag_jw_end(rag_jw *w)
{
    if (w->depth != 0)
        w->depth--;
}

void rag_jw_str(rag_jw *w, const char *key, rag_str s)
{
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 31);
    for (;;) { /* a NUL byte would cut the string: shown as U+FFFD */
        size_t nul = rag_str_find_char(s, '\0');

        rag_utf8_scrub(&b, rag_str_cut(s, 0, nul));
        if (nul == SIZE_MAX)
            break;
        rag_buf_addz(&b, "\xEF\xBF\xBD");
        s = rag_str_cut(s, nul + 1, s.len);
    }
    if (b.failed != RAG_OK)
        w->failed = true;
    else
        put(w, key, cJSON_CreateString(b.ptr));
    rag_buf_dispose(&b);
}

void rag_jw_strz(rag_jw *w, const char *key, const char *s)
{
    if (s == NULL)
        rag_jw_null(w, key);
    else
        rag_jw_str(w, key, rag_str_of(s));
}

void rag_jw_int(rag_jw *w, const char *key, int64_t v)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v);

    (void)n;
    put(w, key, cJSON_CreateRaw(digits));
}

void rag_jw_num(rag_jw *w, const char *key, double v, int decimals)
{
    char digits[64];
    int n;

    if (!isfinite(v) || fabs(v) > 1e15) {
        rag_jw_null(w, key);
        return;
    }
    n = snprintf(digits, sizeof digits, "%.*f", decimals, v);
    if (n < 0) {
        w->failed = true;
        return;
    }
    if (strchr(digits, '.') != NULL) {
        while (digits[n - 1] == '0')
            digits[--n] = '\0';
        if (digits[n - 1] == '.')
            digits[--n] = '\0';
    }
    put(w, key, cJSON_CreateRaw(strcmp(digits, "-0") == 0 ? "0" : digits));
}

void rag_jw_bool(rag_jw *w, const char *key, bool v)
{
    put(w, key, cJSON_CreateBool(v));
}

void rag_jw_null(rag_jw *w, const char *key)
{
    put(w, key, cJSON_CreateNull());
}

/* x as nine significant digits, without zeros at the end; in 0.0001..1, where
 * the numbers of vectors lie, ten times as fast as printf. Nine digits name a
 * float32 with room to spare, so the last one may be rounded either way. */
static char *put_float(char *p, float x)
{
    static const double tens[] = {1e9, 1e10, 1e11, 1e12};
    double a = fabs((double)x);
    unsigned zeros = a >= 0.1 ? 0 : a >= 0.01 ? 1 : a >= 0.001 ? 2 : 3;
    uint64_t digits = 0;

    if (a >= 0.0001 && a < 1)
        digits = (uint64_t)(a * tens[zeros] + 0.5);
    if (digits < 100000000 || digits > 999999999) {
        int n = snprintf(p, FLOAT_BYTES, "%.9g", (double)x);

        return n > 0 ? p + n : p;
    }
    if (x < 0)
        *p++ = '-';
    memcpy(p, "0.000", 5);
    p += 2 + zeros;
    for (unsigned i = 9; i-- > 0; digits /= 10)
        p[i] = (char)('0' + digits % 10);
    p += 9;
    while (p[-1] == '0')
        p--;
    return p;
}

void rag_jw_floats(rag_jw *w, const char *key, const float *v, size_t n)
{
    rag_buf b;
    char *p;

    rag_buf_init(&b, (size_t)1 << 28);
    rag_buf_addc(&b, '[');
    for (size_t i = 0; i < n; i++) {
        p = rag_buf_reserve(&b, FLOAT_BYTES + 1);
        if (p == NULL)
            break;
        if (i != 0)
            *p++ = ',';
        p = put_float(p, v[i]);
        rag_buf_wrote(&b, (size_t)(p - (b.ptr + b.len)));
    }
    rag_buf_addc(&b, ']');
    if (b.failed != RAG_OK)
        w->failed = true;
    else
        put(w, key, cJSON_CreateRaw(b.ptr));
    rag_buf_dispose(&b);
}

rag_status rag_jw_finish(rag_buf *out, rag_jw *w, bool pretty, rag_error *err)
{
    char *text = NULL;

    if (!w->failed && w->root != NULL)
        text = pretty ? cJSON_Print(w->root) : cJSON_PrintUnformatted(w->root);
    cJSON_Delete(w->root);
    w->root = NULL;
    w->depth = 0;
    w->failed = false;
    if (text == NULL)
        return rag_fail_nomem(err);
    rag_buf_addz(out, text);
    cJSON_free(text);
    return rag_buf_status(out, err);
}

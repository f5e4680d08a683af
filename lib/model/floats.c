#include "model/floats.h"

#include <string.h>

#include "base/mem.h"

void rag_floats_init(rag_floats *f)
{
    memset(f, 0, sizeof *f);
    rag_buf_init(&f->json, SIZE_MAX / 2); /* never longer than the text */
}

void rag_floats_dispose(rag_floats *f)
{
    rag_buf_dispose(&f->json);
    rag_free(f->values);
    rag_free(f->ends);
    rag_floats_init(f);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static double scale(double v, int exponent)
{
    static const double tens[] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    for (; exponent > 22; exponent -= 22)
        v *= 1e22;
    for (; exponent < -22; exponent += 22)
        v /= 1e22;
    return exponent < 0 ? v / tens[-exponent] : v * tens[exponent];
}

/* One JSON number at *at. The digits are kept to 19 places and rounded twice,
 * which may differ from strtod in the last bit of a double: the result is a
 * float. False: no number. */
static bool number(float *out, rag_str s, size_t *at)
{
    size_t i = *at;
    bool negative = i < s.len && s.ptr[i] == '-';
    bool point = false;
    uint64_t digits = 0;
    size_t n_digits = 0;
    int exponent = 0;
    size_t start;

    i += negative;
    start = i;
    for (; i < s.len; i++) {
        if (s.ptr[i] == '.' && !point && i != start) {
            point = true;
            continue;
        }
        if (!is_digit(s.ptr[i]))
            break;
        if (n_digits < 19 && exponent > -400) {
            digits = digits * 10 + (uint64_t)(s.ptr[i] - '0');
            n_digits += digits != 0;
            exponent -= point;
        } else {
            exponent += !point && exponent < 400;
        }
    }
    if (i == start || s.ptr[i - 1] == '.')
        return false;
    if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        bool down = i + 1 < s.len && s.ptr[i + 1] == '-';
        int e = 0;

        i += 1u + (i + 1 < s.len && (down || s.ptr[i + 1] == '+'));
        start = i;
        for (; i < s.len && is_digit(s.ptr[i]); i++)
            e = e < 1000 ? e * 10 + (s.ptr[i] - '0') : e;
        if (i == start)
            return false;
        exponent += down ? -e : e;
    }
    {
        double v = digits != 0 ? scale((double)digits, exponent) : 0.0;

        /* over the range of a float: as infinity, to be refused above */
        *out = v > 3.4028234e38 ? __builtin_inff() : (float)v;
        if (negative)
            *out = -*out;
    }
    *at = i;
    return true;
}

static bool add_value(rag_floats *f, float v)
{
    if (f->n_values == f->values_cap &&
        !rag_mem_grow(&f->values, &f->values_cap, f->n_values + 1,
                      sizeof *f->values))
        return false;
    f->values[f->n_values++] = v;
    return true;
}

static rag_status add_end(rag_floats *f, rag_error *err)
{
    if (!rag_mem_grow(&f->ends, &f->ends_cap, f->n_arrays + 1, sizeof *f->ends))
        return rag_fail_nomem(err);
    f->ends[f->n_arrays++] = f->n_values;
    return RAG_OK;
}

static void skip_space(rag_str s, size_t *at)
{
    while (*at < s.len && is_space(s.ptr[*at]))
        (*at)++;
}

/* An array of numbers that begins at *at (behind its '['). *is_one false: it
 * is something else, nothing changed. */
static rag_status array(bool *is_one, rag_floats *f, rag_str s, size_t *at,
                        size_t max_values, rag_error *err)
{
    size_t n0 = f->n_values;
    size_t i = *at;

    *is_one = false;
    for (;;) {
        float v;

        skip_space(s, &i);
        if (!number(&v, s, &i))
            break;
        if (f->n_values >= max_values)
            return rag_fail(err, RAG_E_LIMIT,
                            "a reply with more than %zu numbers", max_values);
        if (!add_value(f, v))
            return rag_fail_nomem(err);
        skip_space(s, &i);
        if (i < s.len && s.ptr[i] == ',') {
            i++;
            continue;
        }
        *is_one = i < s.len && s.ptr[i] == ']';
        break;
    }
    if (!*is_one) {
        f->n_values = n0;
        return RAG_OK;
    }
    *at = i + 1;
    rag_buf_addf(&f->json, "[%zu]", f->n_arrays);
    return add_end(f, err);
}

/* Behind the string that begins at from. */
static size_t string_end(rag_str s, size_t from)
{
    size_t i = from + 1;

    while (i < s.len && s.ptr[i] != '"')
        i += s.ptr[i] == '\\' ? 2 : 1;
    return i < s.len ? i + 1 : s.len;
}

rag_status rag_floats_lift(rag_floats *f, rag_str text, size_t max_values,
                           rag_error *err)
{
    size_t from = 0; /* what is not copied yet */
    size_t at = 0;

    rag_buf_clear(&f->json);
    f->n_values = f->n_arrays = 0;
    while (at < text.len) {
        bool is_one;
        rag_status st;
        size_t inside;

        if (text.ptr[at] == '"') {
            at = string_end(text, at);
            continue;
        }
        if (text.ptr[at++] != '[')
            continue;
        inside = at;
        rag_buf_adds(&f->json, rag_str_cut(text, from, at - 1));
        from = at - 1;
        st = array(&is_one, f, text, &inside, max_values, err);
        if (st != RAG_OK)
            return st;
        if (is_one)
            at = from = inside;
    }
    rag_buf_adds(&f->json, rag_str_cut(text, from, text.len));
    return rag_buf_status(&f->json, err);
}

static void get_array(const float **values, size_t *n, const rag_floats *f,
                      size_t k)
{
    size_t start = k != 0 ? f->ends[k - 1] : 0;

    /* nothing was allocated while every array is empty */
    *values = f->values != NULL ? f->values + start : NULL;
    *n = f->ends[k] - start;
}

bool rag_floats_get(const float **values, size_t *n, const rag_floats *f,
                    const rag_json *v)
{
    int64_t k;

    if (!rag_json_is_array(v) || rag_json_count(v) != 1 ||
        !rag_json_i64(&k, rag_json_first(v)) || k < 0 ||
        (uint64_t)k >= f->n_arrays)
        return false;
    get_array(values, n, f, (size_t)k);
    return true;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

rag_status rag_floats_base64(const float **values, size_t *n, rag_floats *f,
                             rag_str base64, size_t max_values, rag_error *err)
{
    uint64_t bits = 0; /* the newest 4 bytes are the low 32 */
    uint32_t word = 0;
    size_t n_bits = 0;
    size_t n_bytes = 0;
    rag_status st;

    while (base64.len != 0 && base64.ptr[base64.len - 1] == '=')
        base64.len--;
    for (size_t i = 0; i < base64.len; i++) {
        int d = base64_digit(base64.ptr[i]);
        float v;

        if (d < 0)
            return rag_fail(err, RAG_E_FORMAT, "a vector is not base64");
        bits = bits << 6 | (uint64_t)d;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        word = word >> 8 | (uint32_t)(bits >> n_bits & 0xFF) << 24;
        if (++n_bytes % 4 != 0)
            continue;
        memcpy(&v, &word, sizeof v);
        if (f->n_values >= max_values)
            return rag_fail(err, RAG_E_LIMIT,
                            "a reply with more than %zu numbers", max_values);
        if (!add_value(f, v))
            return rag_fail_nomem(err);
    }
    if (n_bytes % 4 != 0)
        return rag_fail(err, RAG_E_FORMAT,
                        "a vector of %zu bytes in base64: not whole floats",
                        n_bytes);
    st = add_end(f, err);
    if (st == RAG_OK)
        get_array(values, n, f, f->n_arrays - 1);
    return st;
}

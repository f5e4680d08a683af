/* A reply with vectors: whether it is JSON must not depend on the numbers that
 * were lifted out, and their count must be what the parser sees. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "model/floats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* also one that is not finite */
static bool is_number(const rag_json *v)
{
    rag_str s;
    bool b;

    return !rag_json_is_null(v) && !rag_json_is_array(v) &&
           !rag_json_is_obj(v) && !rag_json_str(&s, v) && !rag_json_bool(&b, v);
}

/* in arrays */
static size_t count_numbers(const rag_json *v)
{
    size_t n = 0;

    for (const rag_json *c = rag_json_first(v); c != NULL; c = rag_json_next(c))
        n += (rag_json_is_array(v) && is_number(c)) + count_numbers(c);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str text = rag_str_n((const char *)data, size);
    rag_json *plain = NULL;
    rag_json *lifted = NULL;
    const float *v;
    size_t n;
    rag_floats f;

    rag_floats_init(&f);
    if (rag_floats_lift(&f, text, 100000, NULL) == RAG_OK) {
        bool a = rag_json_parse(&plain, text, (size_t)1 << 20, "text", NULL) ==
                 RAG_OK;
        bool b = rag_json_parse(&lifted, rag_buf_str(&f.json), (size_t)1 << 21,
                                "lifted", NULL) == RAG_OK;

        if (a && !b)
            abort();
        if (a && count_numbers(plain) + f.n_arrays !=
                     count_numbers(lifted) + f.n_values)
            abort();
    }
    rag_json_free(plain);
    rag_json_free(lifted);
    if (rag_floats_base64(&v, &n, &f, text, 200000, NULL) == RAG_OK && n != 0 &&
        v[n - 1] != v[n - 1])
        v = NULL; /* reads the last one */
    rag_floats_dispose(&f);
    return 0;
}

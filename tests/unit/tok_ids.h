#ifndef RAG_TESTS_TOK_IDS_H
#define RAG_TESTS_TOK_IDS_H

/* What a tokenizer makes of a text, for the tests of those who read one. */

#include "test.h"

#include "nn/tokens_blob.h"

#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})

/* ids of text by the tokenizer s; -1 ends them in `want`. */
static inline void expect_model(const rag_source_tokens *s, rag_str text,
                                const int32_t *want)
{
    rag_tokens_model model;
    rag_tokens t;
    rag_error err;
    rag_buf blob;
    size_t n = 0;

    rag_buf_init(&blob, (size_t)1 << 26);
    OK(rag_tokens_build(&blob, s, &err), &err);
    OK(rag_tokens_model_open(&model, rag_buf_str(&blob), &err), &err);
    rag_tokens_init(&t, &model);
    OK(rag_tokens_encode(&t, text, &err), &err);
    while (want[n] >= 0)
        n++;
    assert_int_equal(t.n_ids, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(t.ids[i], want[i]);
    rag_tokens_dispose(&t);
    rag_buf_dispose(&blob);
}

#endif /* RAG_TESTS_TOK_IDS_H */

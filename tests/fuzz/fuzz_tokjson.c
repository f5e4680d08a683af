/* tokenizer.json of any bytes: an error that says something, or a tokenizer
 * that builds, opens and gives ids of its vocabulary. Input that begins with a
 * line feed is read as a SentencePiece model (a piece comes first there), what
 * begins with anything else but a brace as vocab.txt. */

#include <stdint.h>
#include <stdlib.h>

#include "nn/spmodel.h"
#include "nn/tokens_blob.h"
#include "nn/tokjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const rag_source_tokens *s)
{
    static const char text[] = "A ab  \xEA\xB0\x80\xE1\x84\x80\xE1\x85\xA1 "
                               "[CLS]<s> e\xCC\x81 \xFF 12345\r\n\t'll "
                               "\xE2\x96\x81x";
    rag_tokens_model model;
    rag_error err = {.msg = ""};
    rag_tokens t;
    rag_buf blob;

    rag_buf_init(&blob, (size_t)1 << 27);
    if (rag_tokens_build(&blob, s, &err) != RAG_OK) {
        if (err.msg[0] == '\0')
            abort();
        goto out;
    }
    if (rag_tokens_model_open(&model, rag_buf_str(&blob), &err) != RAG_OK)
        abort(); /* what we build, we open */
    rag_tokens_init(&t, &model);
    if (rag_tokens_encode(&t, rag_str_n(text, sizeof text - 1), &err) != RAG_OK)
        abort();
    for (size_t i = 0; i < t.n_ids; i++) {
        if (t.ids[i] < 0 || (uint32_t)t.ids[i] >= s->n_pieces)
            abort();
    }
    rag_tokens_dispose(&t);
out:
    rag_buf_dispose(&blob);
}

/* The tables of a tokenizer ask for every code point: seconds under the
 * sanitizers, in which nothing would be fuzzed. libFuzzer builds one in 64 of
 * what can be read, the replay of the corpus all. */
static bool is_built(rag_str text)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    uint32_t h = 0x811C9DC5;

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (uint8_t)text.ptr[i]) * 0x01000193;
    return (h >> 16) % 64 == 0;
#else
    (void)text;
    return true;
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str text = rag_str_n((const char *)data, size);
    rag_source_tokens s;
    rag_error err = {.msg = ""};
    rag_status st;
    rag_arena a;

    rag_arena_init(&a);
    if (size != 0 && data[0] == '\n')
        st = rag_spmodel_read(&s, &a, text, (rag_spmodel)(size % 3), &err);
    else if (size != 0 && data[0] != '{')
        st = rag_tokjson_read_vocab(&s, &a, text, size % 2 == 0, size % 3 == 0,
                                    &err);
    else
        st = rag_tokjson_read(&s, &a, text, &err);
    if (st != RAG_OK && err.msg[0] == '\0')
        abort();
    if (st == RAG_OK && is_built(text))
        use(&s);
    rag_arena_dispose(&a);
    return 0;
}

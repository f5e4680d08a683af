/* Words of any bytes: spans lie in the text and in order, forms are valid. */

#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "base/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
    rag_str text;
    size_t start; /* of the last word that was no part */
    uint32_t position;
    uint64_t sum;
};

static void need(bool ok)
{
    if (!ok)
        abort();
}

static rag_status on_word(void *ctx, const rag_word *w, rag_error *err)
{
    struct state *s = ctx;

    (void)err;
    need(w->start < w->end && w->end <= s->text.len);
    need(w->form.len != 0 && rag_utf8_valid(w->form));
    need(w->key == rag_hash_fast(w->form.ptr, w->form.len) && w->key != 0);
    need(w->start >= s->start);
    need(w->position >= s->position && w->position > 0);
    need(w->kind == RAG_WORD_PART || w->position > s->position);
    if (w->kind != RAG_WORD_PART)
        s->start = w->start;
    s->position = w->position;
    s->sum = s->sum * 31 + w->key + w->start;
    (void)rag_words_is_stop(w->form);
    return RAG_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rag_words *w;
    struct state once = {.text = rag_str_n((const char *)data, size)};
    struct state twice = once;

    if (w == NULL)
        w = rag_words_new();
    need(w != NULL);
    need(rag_words_each(w, once.text, on_word, &once, NULL) == RAG_OK);
    need(rag_words_each(w, twice.text, on_word, &twice, NULL) == RAG_OK);
    need(once.sum == twice.sum); /* nothing is left over from the call before */
    return 0;
}

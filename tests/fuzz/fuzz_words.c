/* Words of any bytes: spans lie in the text and in order, forms are valid.
 * Phrases: a found span lies in the text, and is found again in itself. */

#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/phrase.h"
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

/* The front of the input as a phrase, looked for in the rest. */
static void try_phrase(rag_str text)
{
    size_t n = text.len != 0 ? (size_t)(unsigned char)text.ptr[0] % 32 : 0;
    rag_str phrase = rag_str_cut(text, 1, 1 + n);
    rag_phrase_span span;
    rag_phrase_span again;

    text = rag_str_cut(text, 1 + n, text.len);
    need(rag_phrase_find(&span, text, phrase, NULL) == RAG_OK);
    if (!span.found)
        return;
    need(span.start < span.end && span.end <= text.len);
    text = rag_str_cut(text, span.start, span.end);
    need(rag_phrase_find(&again, text, phrase, NULL) == RAG_OK);
    need(again.found && again.start == 0);
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
    try_phrase(once.text);
    return 0;
}

/* Every JSON that lies beside the weights, read as each of its kinds, and the
 * front matter of a README. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "nn/hfconf.h"
#include "nn/hfnames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t cap)
{
    if (memchr(text, 0, cap) == NULL || !rag_utf8_valid(rag_str_of(text)))
        abort();
}

static void check(rag_status st, const rag_error *err)
{
    if (st != RAG_OK && err->msg[0] == '\0')
        abort(); /* a failure without a word */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str text = rag_str_n((const char *)data, size);
    rag_source_part part;
    uint32_t layer;
    rag_source s;
    rag_hfconf c;
    rag_error err;
    rag_json *j = NULL;

    memset(&s, 0, sizeof s);
    memset(&c, 0, sizeof c);
    rag_error_clear(&err);
    (void)rag_hfnames_find(&part, &layer, RAG_ARCH_BERT, RAG_HEAD_BERT, text);
    (void)rag_hfnames_find(&part, &layer, RAG_ARCH_MODERNBERT,
                           RAG_HEAD_MODERNBERT, text);
    rag_hfconf_front_matter(&s, text);
    check_text(s.licence, sizeof s.licence);
    rag_hfconf_known(&s, &c, text);
    if (rag_json_parse(&j, text, (size_t)1 << 20, "input", &err) == RAG_OK) {
        rag_status st = rag_hfconf_model(&s, &c, j, &err);

        check(st, &err);
        if (st == RAG_OK && (s.hidden == 0 || s.n_heads == 0 || s.ffn == 0 ||
                             s.n_layers == 0 || c.most_tokens == 0))
            abort();
        check(rag_hfconf_modules(&c, j, &err), &err);
        check(rag_hfconf_pooling(&s, &c, j, &err), &err);
        check(rag_hfconf_window(&c, j, &err), &err);
        check(rag_hfconf_prompts(&s, &c, j, &err), &err);
        rag_json_free(j);
    }
    check_text(s.query_prefix, sizeof s.query_prefix);
    check_text(s.passage_prefix, sizeof s.passage_prefix);
    check_text(c.pooling_dir, sizeof c.pooling_dir);
    return 0;
}

#ifndef RAG_NN_TOKJSON_STEPS_H
#define RAG_NN_TOKJSON_STEPS_H

/* tokjson_steps — what stands around the model in a tokenizer.json:
 * normalizer, pre_tokenizer, post_processor. Private to tokjson. */

#include "base/arena.h"
#include "base/json.h"
#include "nn/source.h"

/* pre-tokenizers in a row; known files have three at most */
#define RAG_TOKJSON_MAX_STEPS 16u

typedef struct rag_tokjson {
    rag_source_tokens *out;
    rag_arena *arena;
    const rag_json *root;
    bool byte_level;   /* the pre-tokenizer ByteLevel is there */
    uint32_t n_splits; /* of out->splits */
    bool space_mapped; /* " " became U+2581 */
    bool prepended;    /* by the normalizer Prepend */
    bool words;        /* white space is a border: BertPreTokenizer ... */
} rag_tokjson;

rag_status rag_tokjson_unsupported(rag_error *err, const char *what,
                                   rag_str name);

/* All fill in t->out; the kind is known already. */
RAG_NODISCARD rag_status rag_tokjson_normalizer(rag_tokjson *t, rag_error *err);
RAG_NODISCARD rag_status rag_tokjson_pre_tokenizer(rag_tokjson *t,
                                                   rag_error *err);
RAG_NODISCARD rag_status rag_tokjson_post_processor(rag_tokjson *t,
                                                    rag_error *err);

/* Is a step of this type anywhere in a (nested) Sequence? */
bool rag_tokjson_has_step(const rag_json *step, const char *list,
                          const char *type);

#endif /* RAG_NN_TOKJSON_STEPS_H */

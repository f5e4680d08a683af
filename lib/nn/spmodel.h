#ifndef RAG_NN_SPMODEL_H
#define RAG_NN_SPMODEL_H

/*
 * spmodel — a SentencePiece model (sentencepiece.bpe.model, tokenizer.model):
 * a protocol buffer of pieces with their scores, of the kind Unigram or BPE,
 * and the normalizer's charsmap.
 *
 * Hugging Face's tokenizers for some models number the pieces anew; rag_spmodel
 * says how. Ids are those of these tokenizers over SentencePiece itself.
 *
 * Owns:    nothing; what out points to lives in the arena.
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED (what would give other ids, by its
 *          name), RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: one arena per thread.
 */

#include "base/arena.h"
#include "nn/source.h"

/* with 256,000 pieces and a charsmap they take 5 MB */
#define RAG_SPMODEL_MAX_BYTES ((size_t)128 << 20)

typedef enum rag_spmodel {
    RAG_SPMODEL_PLAIN, /* ids as in the file; its control pieces <s> and </s>
                        * (or <bos>, <eos>) around a text */
    /* fairseq's: <s> <pad> </s> <unk> first, then the pieces from the fourth
     * of the file on, <mask> behind the last */
    RAG_SPMODEL_XLMR,
    /* <s>NOTUSED <pad> </s>NOTUSED <unk> first, then all pieces, then <mask> */
    RAG_SPMODEL_CAMEMBERT
} rag_spmodel;

RAG_NODISCARD rag_status rag_spmodel_read(rag_source_tokens *out, rag_arena *a,
                                          rag_str file, rag_spmodel numbering,
                                          rag_error *err);

#endif /* RAG_NN_SPMODEL_H */

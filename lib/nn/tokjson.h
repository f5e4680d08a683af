#ifndef RAG_NN_TOKJSON_H
#define RAG_NN_TOKJSON_H

/*
 * tokjson — the tokenizer of a Hugging Face folder: tokenizer.json, or the
 * vocab.txt of an old BERT.
 *
 * Read are models of the types Unigram, WordPiece and BPE, with the
 * normalizers, pre-tokenizers and post-processors that encoders use. What would
 * give other ids than the reference is refused by its name, never guessed:
 * RAG_E_UNSUPPORTED. The decoder, padding and truncation do not matter here.
 *
 * Of the added tokens the special ones are never made from text; the others
 * are cut out of it whole (RAG_PIECE_USER, RAG_PIECE_USER_FORM).
 *
 * Owns:    nothing; what out points to lives in the arena.
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: one arena per thread.
 */

#include "base/arena.h"
#include "nn/source.h"

/* multilingual ones with 250,000 pieces take 17 to 35 MB */
#define RAG_TOKJSON_MAX_BYTES ((size_t)128 << 20)

RAG_NODISCARD rag_status rag_tokjson_read(rag_source_tokens *out, rag_arena *a,
                                          rag_str text, rag_error *err);

/* vocab.txt, a piece a line. lowercase, accents: do_lower_case and
 * strip_accents of tokenizer_config.json. */
RAG_NODISCARD rag_status rag_tokjson_read_vocab(rag_source_tokens *out,
                                                rag_arena *a, rag_str text,
                                                bool lowercase, bool accents,
                                                rag_error *err);

#endif /* RAG_NN_TOKJSON_H */

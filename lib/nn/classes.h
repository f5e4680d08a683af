#ifndef RAG_NN_CLASSES_H
#define RAG_NN_CLASSES_H

/*
 * classes — which code points the reference tokenizers take for letters,
 * numbers, marks, punctuation and controls.
 *
 * The ids of a model must not depend on which Unicode version a machine's
 * libraries know, and each rule of the reference has a version of its own. So
 * the ranges are kept here, as Hugging Face tokenizers 0.23 answers for every
 * code point (tests/nn/make_classes.py); they are used when a model is
 * imported, and what tokenizing needs of them goes into the model file.
 *
 * Threads: safe to share.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAG_CODE_POINTS 0x110000u

/* What the patterns of byte-level BPE tell apart. */
typedef enum rag_class {
    RAG_CLASS_OTHER,
    RAG_CLASS_LETTER, /* \p{L} */
    RAG_CLASS_NUMBER, /* \p{N} */
    RAG_CLASS_SPACE   /* \s */
} rag_class;

/* What the later ones tell apart besides: bits beside those of a rag_class. */
typedef enum rag_class_bit {
    RAG_CLASS_UPPER = 16,       /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] */
    RAG_CLASS_LOWER = 32,       /* [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
    RAG_CLASS_PUNCTUATION = 64, /* of the pre-tokenizer Punctuation */
    RAG_CLASS_DIGIT = 128       /* of the pre-tokenizer Digits */
} rag_class_bit;
#define RAG_CLASS_MASK 15u

rag_class rag_class_of(uint32_t cp);
unsigned rag_class_bits(uint32_t cp);

/* BertNormalizer's and BertPreTokenizer's. */
bool rag_class_bert_dropped(uint32_t cp); /* by clean_text */
bool rag_class_bert_mark(uint32_t cp);    /* by strip_accents */
bool rag_class_accent(uint32_t cp);       /* by StripAccents */
bool rag_class_bert_punctuation(uint32_t cp);
bool rag_class_bert_han(uint32_t cp); /* handle_chinese_chars */
/* char::to_lowercase: how many code points were written, 1 or 2. */
size_t rag_class_lower(uint32_t out[2], uint32_t cp);
/* NFD of one code point; 0: itself. cap as rag_utf8_compat's. */
size_t rag_class_decompose(uint32_t *out, size_t cap, uint32_t cp);

#endif /* RAG_NN_CLASSES_H */

#ifndef RAG_NN_HFCONF_H
#define RAG_NN_HFCONF_H

/*
 * hfconf — what lies beside the weights of a Hugging Face model: sizes and
 * architecture (config.json), pooling and what follows it (modules.json,
 * POOLING/config.json), window (sentence_bert_config.json), prompts
 * (config_sentence_transformers.json), licence (front matter of README.md).
 *
 * What the encoder could not compute exactly is refused by name.
 *
 * Owns:    nothing; texts are copied into the source.
 * Errors:  RAG_E_FORMAT, RAG_E_LIMIT, RAG_E_UNSUPPORTED, RAG_E_NOTFOUND,
 *          RAG_E_NOMEM.
 * Threads: safe.
 */

#include "base/json.h"
#include "nn/source.h"

/* What the files say beside a source's own fields. */
typedef struct rag_hfconf {
    uint32_t first_position; /* rows of the position table that no text uses:
                              * 2 for RoBERTa and its kind */
    uint32_t most_tokens;    /* window that the files ask for; 0: none */
    bool lowercase;          /* text is brought to lower case first */
    bool has_pooling;        /* a file said so */
    bool has_prompts;
    char pooling_dir[64]; /* folder of the pooling's config.json */
} rag_hfconf;

/* Each reads one JSON document. */
RAG_NODISCARD rag_status rag_hfconf_model(rag_source *s, rag_hfconf *c,
                                          const rag_json *config,
                                          rag_error *err);
RAG_NODISCARD rag_status rag_hfconf_modules(rag_hfconf *c,
                                            const rag_json *modules,
                                            rag_error *err);
RAG_NODISCARD rag_status rag_hfconf_pooling(rag_source *s, rag_hfconf *c,
                                            const rag_json *pooling,
                                            rag_error *err);
RAG_NODISCARD rag_status rag_hfconf_window(rag_hfconf *c, const rag_json *sbert,
                                           rag_error *err);
RAG_NODISCARD rag_status rag_hfconf_prompts(rag_source *s, rag_hfconf *c,
                                            const rag_json *prompts,
                                            rag_error *err);
/* "license: mit" of the lines between two "---". */
void rag_hfconf_front_matter(rag_source *s, rag_str readme);

/* All of them from a folder; config.json must be there. */
RAG_NODISCARD rag_status rag_hfconf_folder(rag_source *s, rag_hfconf *c,
                                           const char *dir, rag_error *err);

/* Pooling and prefixes of well-known families by a name in `text` (a folder, a
 * file, general.name), where the files did not say. docs/models.md lists them.
 */
void rag_hfconf_known(rag_source *s, const rag_hfconf *c, rag_str text);

/* The same by the last part of a path as it really is ("." has none). */
RAG_NODISCARD rag_status rag_hfconf_known_path(rag_source *s,
                                               const rag_hfconf *c,
                                               const char *path,
                                               rag_error *err);

/* After the tokenizer is there: does lower case fit it? */
RAG_NODISCARD rag_status rag_hfconf_lowercase(rag_source *s,
                                              const rag_hfconf *c,
                                              rag_error *err);

#endif /* RAG_NN_HFCONF_H */

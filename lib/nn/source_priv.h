#ifndef RAG_NN_SOURCE_PRIV_H
#define RAG_NN_SOURCE_PRIV_H

/*
 * source_priv — what importers share while they fill a rag_source.
 *
 * Owns:    what is added belongs to the source until rag_source_close().
 * Errors:  RAG_E_FORMAT, RAG_E_LIMIT, RAG_E_NOMEM, and those of reading.
 * Threads: one object per thread.
 */

#include "base/json.h"
#include "nn/source.h"

/* About 16 tensors a layer and 64 layers at most; twice that. */
#define RAG_SOURCE_MAX_TENSORS 2048u
/* Weights of one model in pieces: 2 GB each for the largest that would be worth
 * running here leaves room twice over. */
#define RAG_SOURCE_MAX_MAPS 64u
/* Caps that stand in for "some number was read wrongly": no encoder comes near,
 * and no product of them overflows. */
#define RAG_SOURCE_MAX_DIMS (1u << 24)
/* Every JSON beside the weights but the tokenizer. Real ones: below 10 kB. */
#define RAG_SOURCE_MAX_JSON_BYTES ((size_t)1 << 20)

/* All empty, with an arena. */
RAG_NODISCARD rag_status rag_source_begin(rag_source *s, rag_error *err);

/* Begins *out and lets `fill` fill it; on failure it is empty again. */
typedef rag_status (*rag_source_reader)(rag_source *s, const char *path,
                                        rag_error *err);
RAG_NODISCARD rag_status rag_source_open(rag_source *out,
                                         rag_source_reader fill,
                                         const char *path, rag_error *err);

/* Maps a file that the source keeps. */
RAG_NODISCARD rag_status rag_source_map(rag_map *out, rag_source *s,
                                        const char *path, rag_error *err);

/* Adds t, whose bytes [n_bytes] were found in the file under `name`: refused
 * when they are not as many as its shape and type say, or when the part is
 * there already. */
RAG_NODISCARD rag_status rag_source_add(rag_source *s,
                                        const rag_source_tensor *t,
                                        uint64_t n_bytes, rag_str name,
                                        rag_error *err);

/* Leaves the first n_first rows of the position table out and takes the window
 * from what stays, at most `most` (0: all of it). */
RAG_NODISCARD rag_status rag_source_cut_positions(rag_source *s,
                                                  uint32_t n_first,
                                                  uint32_t most,
                                                  rag_error *err);

/* RAG_ARCH_BERT: is every part of every layer there? A bias that an exporter
 * lost would count as zero otherwise. Says which is missing. */
RAG_NODISCARD rag_status rag_source_check_bert(const rag_source *s,
                                               rag_error *err);

/* s->source = the last part of path and the SHA-256 of all that is mapped. */
RAG_NODISCARD rag_status rag_source_describe(rag_source *s, const char *path,
                                             rag_error *err);

/* Copies a text of the model. It must be UTF-8 without control characters and
 * fit; what names it in the message. */
RAG_NODISCARD rag_status rag_source_text(char to[RAG_SOURCE_MAX_TEXT],
                                         rag_str text, const char *what,
                                         rag_error *err);
/* Copies what fits of it; nothing when it is no plain UTF-8. */
void rag_source_licence(rag_source *s, rag_str text);

/* Is there a file of that name? */
/* RAG_E_FORMAT when a folder, a pipe or a device stands where a file should:
 * reading one may never end. */
RAG_NODISCARD rag_status rag_source_check_file(const char *path,
                                               const char *name,
                                               rag_error *err);
bool rag_source_exists(const char *dir, const char *name);

/* Reads dir/name as JSON. *out is NULL when there is no such file. The caller
 * frees it. */
RAG_NODISCARD rag_status rag_source_json(rag_json **out, const char *dir,
                                         const char *name, rag_error *err);

/* The tokenizer.json at dir/name into s->tokens. */
RAG_NODISCARD rag_status rag_source_tokenizer(rag_source *s, const char *dir,
                                              const char *name, rag_error *err);

/* tokenizer.json of a folder, or vocab.txt of an old BERT, or the SentencePiece
 * model of XLM-RoBERTa, CamemBERT, Llama; with what tokenizer_config.json says
 * of these. *found is false when there is none. */
RAG_NODISCARD rag_status rag_source_tokenizer_in(bool *found, rag_source *s,
                                                 const char *dir,
                                                 rag_error *err);

/* The folder that path lies in, to be freed with rag_free(); NULL: no memory.
 */
char *rag_source_folder(const char *path);

#endif /* RAG_NN_SOURCE_PRIV_H */

#ifndef RAG_FLOW_FLOW_PRIV_H
#define RAG_FLOW_FLOW_PRIV_H

/* What the files of flow share: the open rag and small helpers on it. */

#include "doc/chunk.h"
#include "model/chat.h"
#include "model/embed.h"
#include "model/rerank.h"
#include "rag.h"
#include "store/store.h"

struct rag {
    rag_config cfg;   /* strings borrowed from the caller */
    rag_store *store; /* NULL only while rag_doctor() looks around */
    rag_open_mode mode;
    rag_embedder *embedder; /* made on first use */
    bool embedder_tried;
    rag_reranker *reranker; /* made on first use */
    bool rerank_warned;     /* that it cannot be had was said */
    char *embed_model;      /* resolved: "builtin:e5-small", "none" */
};

/* ---- rag.c -------------------------------------------------------------- */

bool rag_flow_cancelled(const rag *r);
double rag_flow_now_ms(void);   /* monotonic */
int64_t rag_flow_wall_ns(void); /* since 1970 */

/* The embedder of the settings; *out NULL when they say "none". */
RAG_NODISCARD rag_status rag_flow_embedder(rag_embedder **out, rag *r,
                                           rag_error *err);
/* The same without an open store. */
RAG_NODISCARD rag_status rag_flow_embedder_new(rag_embedder **out, char **model,
                                               const rag_config *cfg,
                                               rag_error *err);
/* Path of the built-in embedding model of the settings; *out NULL: they name
 * another, or none. */
RAG_NODISCARD rag_status rag_flow_builtin_path(char **out,
                                               const rag_config *cfg,
                                               rag_error *err);
/* "provider:name" -> its parts; false when malformed. */
bool rag_flow_model_parts(char provider[16], const char **name,
                          const char *model);
/* NULL when the settings name no chat model. */
RAG_NODISCARD rag_status rag_flow_chat(rag_chat **out, rag *r, bool stream,
                                       rag_error *err);

/* Is the store's active space that of this embedder? RAG_E_MISMATCH with the
 * two ways out when it is another one. */
RAG_NODISCARD rag_status rag_flow_check_space(rag_store_space *space, rag *r,
                                              const rag_embedder *e,
                                              rag_error *err);

/* ---- rerank_hits.c ------------------------------------------------------ */

/* Do the settings name a reranker? How many hits is it given? */
bool rag_flow_reranks(const rag *r);
size_t rag_flow_rerank_candidates(const rag *r);
/* NULL when the settings name none. */
RAG_NODISCARD rag_status rag_flow_reranker_new(rag_reranker **out,
                                               const rag_config *cfg,
                                               rag_error *err);
/* Puts the hits into the reranker's order and keeps the first k. An endpoint
 * that fails leaves their order and gives a warning, unless must; a refused
 * key is always a failure. No store view may be open: servers are slow. */
RAG_NODISCARD rag_status rag_flow_rerank(rag_hits *h, rag *r, rag_str query,
                                         size_t k, bool must, rag_error *err);

/* Path of the root that holds what came through a pipe (real ones begin with
 * '/'). */
#define RAG_FLOW_PIPE_ROOT "-"

/* One row of the store's settings: filters of a root, the ignore list. */
#define RAG_FLOW_MAX_META_BYTES ((size_t)4 << 20)

/* ---- doctor.c ----------------------------------------------------------- */

/* Gives fn one line; the detail is fmt with its arguments. */
void rag_flow_check_line(rag_check_fn fn, void *ctx, const char *state,
                         rag_status code, const char *what, const char *mend,
                         const char *fmt, va_list ap) RAG_PRINTF(7, 0);

/* ---- ignored.c ---------------------------------------------------------- */

/* The store's ignore list, sorted. */
typedef struct rag_flow_ignored {
    rag_buf bytes;
    rag_str *list; /* [n] full paths, into bytes */
    size_t n;
} rag_flow_ignored;

RAG_NODISCARD rag_status rag_flow_ignored_load(rag_flow_ignored *g,
                                               rag_store *s, rag_error *err);
void rag_flow_ignored_dispose(rag_flow_ignored *g);
bool rag_flow_ignored_has(const rag_flow_ignored *g, rag_str path);
/* Puts full paths on the list, or takes them off. */
RAG_NODISCARD rag_status rag_flow_ignored_change(rag_store *s,
                                                 const rag_str *paths,
                                                 size_t n_paths, bool add,
                                                 rag_error *err);

/* ---- names.c ------------------------------------------------------------ */

/* Full path of a file: root, and key below it. Appended. */
void rag_flow_path(rag_buf *out, rag_str root, rag_str key);
/* As people see it: relative to cwd where below it, else absolute; record id
 * behind '#'. Raw bytes. Appended. */
void rag_flow_name(rag_buf *out, const rag *r, rag_str root, rag_str key,
                   rag_str record_id);
/* The name as JSON carries it (verbatim; escaped when it is not valid UTF-8)
 * and, in that case, its bytes; in the arena. */
RAG_NODISCARD rag_status rag_flow_shown(rag_str *shown, rag_str *bytes,
                                        rag_arena *arena, const rag *r,
                                        rag_str root, rag_str key,
                                        rag_str record_id, rag_error *err);
/* Does a person's pattern mean this document? Its shown name, its path below
 * the root, its full path, with and without the record. */
bool rag_flow_means(const rag *r, rag_str glob, const rag_store_doc *d);
/* Is that its name: shown, escaped, full, or below the root? */
bool rag_flow_named(const rag *r, rag_str name, const rag_store_doc *d);
/* NULL, "changed", "gone", "broken": the file against the look that its visible
 * version was made from. */
const char *rag_flow_stale(rag_str root, rag_str key,
                           const rag_store_look *look, rag_file_result result);

/* ---- models.c ----------------------------------------------------------- */

/* Path of a built-in model's file. RAG_E_NOTFOUND says how to add it. */
RAG_NODISCARD rag_status rag_flow_model_path(char **out, const rag_config *cfg,
                                             const char *name, rag_error *err);
/* Name of the default built-in model; *out NULL when there is none. */
RAG_NODISCARD rag_status rag_flow_model_default(char **out,
                                                const rag_config *cfg,
                                                rag_error *err);
/* The way out where a default model is missing: add one, or choose one. */
const char *rag_flow_model_hint(const rag_config *cfg);

/* ---- embedrun.c --------------------------------------------------------- */

typedef struct rag_embed_tally {
    uint64_t n_embedded;
    uint64_t n_reused;
    uint64_t n_tokens; /* of the embedded, by the chunker's estimate */
} rag_embed_tally;

/* Gives every live chunk that lacks one a vector. reembed: into a second space
 * when the fingerprint differs from the active one's, switched at the end. */
RAG_NODISCARD rag_status rag_flow_embed_missing(rag_embed_tally *out, rag *r,
                                                rag_embedder *e, bool reembed,
                                                const rag_ingest_watch *watch,
                                                rag_error *err);
/* Appends the exact model input of a chunk, without the model's prefix. */
RAG_NODISCARD rag_status rag_flow_input(rag_buf *out, const rag_store_chunk *c,
                                        rag_error *err);

/* ---- estimate.c --------------------------------------------------------- */

/* After a dry run: requests, time and money of the embedding. */
void rag_flow_estimate(rag_ingest_report *out, rag *r,
                       const rag_ingest_opts *opts);
/* Keeps the speed of this run's model for later estimates. */
void rag_flow_note_rate(rag *r, uint64_t n_tokens, double ms);

/* Breadcrumb and body of a stored chunk: what the words index and the model
 * see. For rag_store_opts and embedrun. */
void rag_flow_render(rag_buf *heading, rag_buf *body,
                     const rag_store_chunk *chunk);

#endif /* RAG_FLOW_FLOW_PRIV_H */

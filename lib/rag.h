#ifndef RAG_H
#define RAG_H

/*
 * rag — the front door: everything that a program (the command line, a server)
 * does with documents and questions.
 *
 * A `rag` is an open store with its settings. Whatever comes out through a
 * first parameter is the caller's, to be freed with the function named beside
 * it; all else is borrowed for the call or the callback. Nothing here prints,
 * exits, or reads the environment.
 *
 * Threads: one rag per thread.
 */

#include <math.h>

#include "base/arena.h"
#include "base/buf.h"

/* A score that did not take place; test with isnan(). */
#define RAG_NONE ((double)NAN)

typedef struct rag rag;

/* ---- settings ----------------------------------------------------------- */

/* All strings are borrowed until rag_close(); NULL means "not set". */
typedef struct rag_config {
    const char *store_dir;
    const char
        *state_dir; /* the user's own: keys, trust ($XDG_STATE_HOME/rag) */
    const char *data_dir; /* the user's own: models ($XDG_DATA_HOME/rag) */
    const char
        *cache_dir;  /* the user's own: eval stores ($XDG_CACHE_HOME/rag) */
    const char *cwd; /* names are shown relative to it; real path */

    const char *embed_model; /* "builtin:NAME", "openai:NAME", "ollama:NAME",
                              * "none"; NULL: the default built-in model when
                              * one was added, else none */
    const char *embed_url;
    const char *embed_key; /* the key itself; never logged */
    const char *embed_query_prefix;
    const char *embed_passage_prefix;
    size_t embed_batch_texts;
    size_t embed_in_flight;
    double embed_price_per_mtok; /* of a million tokens; below 0: not known */
    const char *chat_model; /* "openai:NAME", "ollama:NAME", "none" or NULL */
    const char *chat_url;
    const char *chat_key;
    double chat_temperature;
    size_t chat_context_tokens;
    size_t chat_max_tokens;
    size_t retrieve_k;            /* passages of a search or a prompt */
    double retrieve_dense_weight; /* 0..1; below 0: by the evidence */
    uint32_t chunk_min_tokens;
    uint32_t chunk_max_tokens;
    const char *rerank_model; /* "builtin:NAME", "http:NAME", "none" or
                               * NULL */
    const char *rerank_url;
    const char *rerank_key;
    size_t rerank_candidates; /* hits that are reranked; 0: 20 */
    bool allow_http;          /* plain http to other hosts than this one */
    const char *ca_file;
    size_t n_jobs; /* readers at once and encoder threads; 0: every CPU */
    bool (*cancelled)(void *ctx); /* Ctrl-C; asked often; may be NULL */
    void *cancel_ctx;
} rag_config;

typedef enum rag_open_mode {
    RAG_OPEN_READ,
    RAG_OPEN_WRITE,
    RAG_OPEN_CREATE, /* write; made when there is none */
    RAG_OPEN_NONE /* no store at all: for a dry run before the first ingest */
} rag_open_mode;

/* RAG_E_NOTFOUND: no store there. RAG_E_BUSY: another writer (after wait_ms).
 * RAG_E_CORRUPT: damaged, or made by a newer version. */
RAG_NODISCARD rag_status rag_open(rag **out, const rag_config *cfg,
                                  rag_open_mode mode, unsigned wait_ms,
                                  rag_error *err);
void rag_close(rag *r);

/* Is there a reader of that name ("pdf")? */
bool rag_type_is(const char *name);

/* ---- ingest ------------------------------------------------------------- */

typedef struct rag_ingest_opts {
    const char *const *paths; /* [n_paths]; none: every known root */
    size_t n_paths;
    int stdin_fd;               /* >= 0: one document from this descriptor */
    const char *name;           /* its name */
    const char *type;           /* force a reader, NULL: by content */
    const char *const *include; /* [n_include] globs; none: everything */
    size_t n_include;
    const char *const *exclude; /* [n_exclude] globs */
    size_t n_exclude;
    bool hidden;    /* hidden files too */
    bool follow;    /* symbolic links too */
    bool gitignore; /* .gitignore besides .ragignore */
    bool dry_run;
    bool no_embed;
    bool reembed;
    bool prune;  /* remove also when more than half of a root would go */
    bool strict; /* the first file that cannot be stored ends the run */
} rag_ingest_opts;

typedef enum rag_ingest_result {
    RAG_INGEST_ADDED,
    RAG_INGEST_UPDATED,
    RAG_INGEST_UNCHANGED,
    RAG_INGEST_REMOVED,
    RAG_INGEST_FAILED,
    RAG_INGEST_SKIPPED,
    RAG_INGEST_KEPT /* left out by this run's filters, or not looked at */
} rag_ingest_result;

const char *rag_ingest_result_name(rag_ingest_result r); /* "added" */

typedef struct rag_ingest_file {
    rag_str path;       /* as shown to people: relative to cwd where below it */
    rag_str path_bytes; /* the same when it is not valid UTF-8, else empty */
    rag_ingest_result result;
    rag_str reason; /* empty: none */
    rag_str type;   /* reader name or empty */
    uint64_t n_pages;
    uint64_t n_empty_pages;
    uint64_t n_chars;
    uint64_t n_chunks;
    const rag_str *warnings; /* [n_warnings] */
    size_t n_warnings;
} rag_ingest_file;

typedef struct rag_ingest_progress {
    const char *phase; /* "reading", "embedding", "indexing" */
    uint64_t done;     /* files, chunks */
    uint64_t total;    /* 0: not known yet */
    double seconds;    /* since the phase began */
} rag_ingest_progress;

typedef struct rag_ingest_report {
    uint64_t n_added, n_updated, n_unchanged, n_removed, n_failed, n_skipped,
        n_kept;
    uint64_t n_partial;    /* stored without some bad records: see warnings */
    uint64_t n_chunks;     /* of added and updated files */
    uint64_t n_embedded;   /* vectors computed */
    uint64_t n_reused;     /* vectors that were there */
    uint64_t n_missing;    /* live chunks without a vector at the end */
    uint64_t n_tokens;     /* dry run: of the chunks, estimated */
    uint64_t n_requests;   /* dry run: to the embedding endpoint */
    double estimated_ms;   /* dry run: of the real one; NaN: not known */
    double estimated_cost; /* dry run: in the price's currency; NaN likewise */
    bool needs_prune;      /* removals were held back */
    bool roots_missing;    /* a root or folder could not be listed */
    bool interrupted;
    double ms_read, ms_embed, ms_index, ms_total;
} rag_ingest_report;

typedef struct rag_ingest_watch {
    /* each file once, in the order they are done; NULL: nobody listens */
    void (*file)(void *ctx, const rag_ingest_file *f);
    void (*progress)(void *ctx, const rag_ingest_progress *p);
    void (*note)(void *ctx, const char *line); /* for people, stderr */
    void *ctx;
} rag_ingest_watch;

/* A sync of each path. *out is filled also on failure (what was done is
 * stored). Some files that could not be read are no failure: out->n_failed,
 * roots_missing, needs_prune say so (exit 3). */
RAG_NODISCARD rag_status rag_ingest(rag_ingest_report *out, rag *r,
                                    const rag_ingest_opts *opts,
                                    const rag_ingest_watch *watch,
                                    rag_error *err);

/* ---- search ------------------------------------------------------------- */

typedef enum rag_mode { RAG_HYBRID, RAG_DENSE, RAG_LEXICAL } rag_mode;

const char *rag_mode_name(rag_mode m);
bool rag_mode_of(rag_mode *out, rag_str name);

typedef struct rag_search_opts {
    rag_mode mode;
    size_t k;                /* 0: the setting */
    const char *path_glob;   /* NULL: everything */
    const char *type;        /* reader name */
    int64_t since_ns;        /* files changed at or after; 0: all */
    const char *const *meta; /* [n_meta] "KEY=VALUE" */
    size_t n_meta;
    bool explain;
    bool check_stale; /* stat the files shown */
} rag_search_opts;

typedef struct rag_hit {
    uint32_t rank;    /* from 1 */
    double score;     /* 0..1: fused, or the reranker's */
    double dense;     /* cosine; NaN: that part did not take place */
    double lexical;   /* BM25; NaN: the same */
    double rerank;    /* 0..1, the reranker's; NaN: the same */
    double coverage;  /* share of the question's word weight in it; NaN */
    rag_str document; /* as shown; records: corpus.jsonl#ID */
    rag_str
        document_bytes; /* the same when it is not valid UTF-8, else empty */
    rag_str id;         /* record id or empty */
    rag_str type;       /* reader name */
    rag_str title;
    const rag_str *headings; /* [n_headings] */
    size_t n_headings;
    uint32_t page; /* 0: none */
    uint32_t page_end;
    uint64_t line; /* 0: none; people see lines only when has_lines */
    uint64_t line_end;
    bool has_lines;
    uint64_t start; /* bytes */
    uint64_t end;
    rag_str chunk;    /* stable id */
    int64_t chunk_id; /* inside the store */
    int64_t doc_id;
    rag_str text;
    rag_str context; /* empty: none */
    uint64_t context_start;
    uint64_t context_end;
    bool stale;
    const char *stale_why; /* "changed", "gone", "broken" or NULL */
    uint8_t source_sha256[32];
} rag_hit;

typedef struct rag_hits {
    rag_arena arena;
    rag_hit *hits; /* [n_hits] best first */
    size_t n_hits;
    rag_mode mode;       /* what took place */
    double evidence;     /* 0..1, NaN: not there */
    bool relevant;       /* something here is about the question */
    bool filtered_out;   /* no document passes the filters of the search */
    double dense_weight; /* used in the fusion; NaN */
    bool reranked;       /* by the model of the settings */
    const char *warning; /* static or arena text for people, or NULL */
    double ms_embed, ms_dense, ms_lexical, ms_rerank, ms_total;
} rag_hits;

RAG_NODISCARD rag_status rag_search(rag_hits **out, rag *r, rag_str query,
                                    const rag_search_opts *opts,
                                    rag_error *err);
void rag_hits_free(rag_hits *h);

/* ---- ask ---------------------------------------------------------------- */

typedef struct rag_ask_opts {
    rag_search_opts search;
    bool extract;          /* no chat model: best sentences, cited */
    bool no_stream;        /* ask the server for the answer in one piece */
    bool strict;           /* leave out sentences that nothing supports */
    rag_str extra_context; /* piped text, joins the question; empty: none */
} rag_ask_opts;

typedef enum rag_answer_status {
    RAG_ANSWERED,
    RAG_ABSTAINED,
    RAG_FAILED
} rag_answer_status;

const char *rag_answer_status_name(rag_answer_status s);

typedef struct rag_citation {
    uint32_t n;           /* the number in brackets */
    rag_hit hit;          /* the passage */
    rag_str quote;        /* words of the source that carry the sentence */
    uint64_t quote_start; /* bytes in the document; equal: none */
    uint64_t quote_end;
    const char *check; /* "exact", "fuzzy", "misattributed", "not_found" */
} rag_citation;

typedef struct rag_sentence {
    rag_str text;          /* with its [n] */
    const uint32_t *cites; /* [n_cites] */
    size_t n_cites;
    const char *support; /* "supported", "partly", "unsupported" */
} rag_sentence;

typedef struct rag_answer {
    rag_arena arena;
    rag_answer_status status;
    rag_str question;
    rag_str text; /* the deltas joined, byte for byte */
    rag_sentence *sentences;
    size_t n_sentences;
    rag_citation *citations; /* [n_citations] those used, by n */
    size_t n_citations;
    rag_hits *retrieved; /* freed with the answer */
    rag_str chat_model;  /* "openai:NAME" or "extract" */
    rag_str embed_model;
    int64_t prompt_tokens; /* -1: not known */
    int64_t completion_tokens;
    double ms_retrieve, ms_first_token, ms_total;
    bool complete;
    const char *why_cut; /* status RAG_ANSWERED and not complete: what to do,
                          * one line, static; else NULL */
    bool left_out;       /* --strict: a sentence was left out */
} rag_answer;

typedef struct rag_ask_watch {
    void (*retrieved)(void *ctx, const rag_hits *hits);
    /* a piece of the answer that will not be withdrawn */
    rag_status (*delta)(void *ctx, rag_str piece, rag_error *err);
    void (*citation)(void *ctx, const rag_citation *c); /* first use of [n] */
    void *ctx;
} rag_ask_watch;

/* A failed endpoint: the status of the call, with *out filled as far as it got
 * (status RAG_FAILED, complete false) when anything was given to delta. */
RAG_NODISCARD rag_status rag_ask(rag_answer **out, rag *r, rag_str question,
                                 const rag_ask_opts *opts,
                                 const rag_ask_watch *watch, rag_error *err);
void rag_answer_free(rag_answer *a);

/* What would be sent: appended as text, message by message. */
RAG_NODISCARD rag_status rag_ask_prompt(rag_buf *out, rag *r, rag_str question,
                                        const rag_ask_opts *opts,
                                        rag_error *err);

/* ---- documents ---------------------------------------------------------- */

typedef struct rag_document {
    rag_str name;       /* as it is; escaped when it is not valid UTF-8 */
    rag_str name_bytes; /* the same when not valid UTF-8, else empty */
    rag_str type;
    rag_str title;
    rag_str record_id;
    uint64_t text_bytes;
    uint64_t n_chunks;
    uint32_t n_pages;
    int64_t ingested_ns; /* wall clock */
    int64_t mtime_ns;
    const char *stale; /* NULL, "changed", "gone", "broken" */
} rag_document;

typedef rag_status (*rag_document_fn)(void *ctx, const rag_document *d,
                                      rag_error *err);
/* glob NULL: all. check_stale: stat every file. */
RAG_NODISCARD rag_status rag_list(rag *r, const char *glob, bool check_stale,
                                  rag_document_fn fn, void *ctx,
                                  rag_error *err);

typedef struct rag_shown {
    rag_arena arena;
    rag_document doc;
    rag_str text;   /* the part asked for */
    uint64_t start; /* bytes of that part */
    uint64_t end;
    uint64_t line; /* first line of the part, 0: none */
    bool has_lines;
} rag_shown;

/* name: DOC[#ID][#pN][:LINES], by the contract: an existing document's name
 * wins, else the parts are taken from the right. bytes: the name as it is,
 * without parts (--b64). RAG_E_NOTFOUND names near ones. */
RAG_NODISCARD rag_status rag_show(rag_shown **out, rag *r, rag_str name,
                                  bool bytes, rag_error *err);
void rag_shown_free(rag_shown *s);

typedef struct rag_rm_opts {
    const char *const *globs; /* [n_globs] */
    size_t n_globs;
    bool bytes; /* they are exact names (--b64) */
    bool dry_run;
    bool ignore; /* also to the store's ignore list */
} rag_rm_opts;

typedef struct rag_rm_report {
    uint64_t n_files;
    uint64_t
        n_come_back; /* still lie in a known root: the next sync returns them */
} rag_rm_report;

RAG_NODISCARD rag_status rag_rm(rag_rm_report *out, rag *r,
                                const rag_rm_opts *opts, rag_document_fn fn,
                                void *ctx, rag_error *err);

/* ---- state -------------------------------------------------------------- */

typedef struct rag_state {
    rag_arena arena;
    uint64_t n_files, n_documents, n_chunks, n_vectors, n_missing, n_failed,
        n_skipped, n_stale;
    uint64_t text_bytes, store_bytes, generation;
    rag_str store; /* path */
    rag_str index_kind;
    uint64_t index_vectors, index_bytes;
    bool index_fresh;
    rag_str store_embed_model; /* what the store's vectors were made with */
    uint64_t dims;
    rag_str embed_model; /* what the settings resolve to */
    rag_str chat_model;
    rag_str rerank_model;
    rag_str *roots; /* [n_roots] */
    size_t n_roots;
} rag_state;

RAG_NODISCARD rag_status rag_state_get(rag_state **out, rag *r, rag_error *err);
void rag_state_free(rag_state *s);

typedef struct rag_check_line {
    const char *state; /* "ok", "warn", "fail" */
    rag_status code;   /* of a "fail": what kind */
    const char *what;
    const char *detail;
    const char *mend; /* a command, or NULL */
} rag_check_line;
typedef void (*rag_check_fn)(void *ctx, const rag_check_line *line);

/* Works also when the store cannot be opened (that is a line, too). */
RAG_NODISCARD rag_status rag_doctor(const rag_config *cfg, bool repair,
                                    rag_check_fn fn, void *ctx, rag_error *err);

/* ---- models and vectors ------------------------------------------------- */

typedef struct rag_model_info {
    char name[64];
    char path[512];
    char licence[64];
    char source[256];
    char sha256_hex[65];
    char query_prefix[256]; /* put in front of questions, of passages; "" */
    char passage_prefix[256];
    char kind[96]; /* "BERT, Unigram, mean of the tokens" */
    size_t dims;
    size_t max_tokens;
    size_t labels;         /* of a cross-encoder, which scores pairs; else 0 */
    char label_names[256]; /* a line each, as "entailment"; "" : not told */
    uint64_t bytes;
    bool is_default;
} rag_model_info;

/* NULL: by the file's or folder's name; as the model's files say. */
typedef struct rag_model_add_opts {
    const char *name;
    const char *query_prefix;
    const char *passage_prefix;
    const char *pooling; /* "mean", "cls", "last", "max" */
} rag_model_add_opts;

typedef void (*rag_model_fn)(void *ctx, const rag_model_info *m);
/* path: a model file, or a folder as Hugging Face lays it out. */
RAG_NODISCARD rag_status rag_model_add(rag_model_info *out,
                                       const rag_config *cfg, const char *path,
                                       const rag_model_add_opts *opts,
                                       rag_error *err);
RAG_NODISCARD rag_status rag_model_list(const rag_config *cfg, rag_model_fn fn,
                                        void *ctx, rag_error *err);
RAG_NODISCARD rag_status rag_model_show(rag_model_info *out,
                                        const rag_config *cfg, const char *name,
                                        rag_error *err);
RAG_NODISCARD rag_status rag_model_set_default(const rag_config *cfg,
                                               const char *name,
                                               rag_error *err);
RAG_NODISCARD rag_status rag_model_remove(const rag_config *cfg,
                                          const char *name, rag_error *err);

/* Asks the embedding model and the reranker of the settings things whose answer
 * is known, and says of each what is wrong. A "fail" of RAG_E_FORMAT: it
 * answers, but wrongly. RAG_E_INVAL: the settings name no such model. */
RAG_NODISCARD rag_status rag_model_test(const rag_config *cfg, bool embed,
                                        bool rerank, rag_check_fn fn, void *ctx,
                                        rag_error *err);

/* Gives the next texts, borrowed until it is called again: texts [*n], *n 0
 * ends it. At most RAG_EMBED_TEXTS_MAX at once. */
#define RAG_EMBED_TEXTS_MAX 1024u
typedef rag_status (*rag_texts_fn)(void *ctx, const rag_str **texts, size_t *n,
                                   rag_error *err);
/* The vector of one of them, or why it has none. Borrowed for the call. */
typedef struct rag_embedded {
    rag_str text;        /* made valid UTF-8 */
    uint64_t no;         /* from 0; they come in order */
    const float *vector; /* [dims], of length 1; NULL: see why */
    size_t dims;
    const char *model;    /* as the settings name it */
    const rag_error *why; /* the model refuses this one text */
} rag_embedded;
typedef rag_status (*rag_embedded_fn)(void *ctx, const rag_embedded *v,
                                      rag_error *err);
typedef struct rag_embed_report {
    uint64_t n_texts;
    uint64_t n_failed;    /* texts without a vector */
    uint64_t n_windowed;  /* longer than the built-in model's window: their
                           * windows' vectors, averaged by length */
    size_t window_tokens; /* 0: not known */
} rag_embed_report;
/* Vectors of texts, as many as next gives. Needs no store. *out is filled also
 * on failure. */
RAG_NODISCARD rag_status rag_embed_texts(rag_embed_report *out,
                                         const rag_config *cfg, bool query,
                                         rag_texts_fn next, rag_embedded_fn fn,
                                         void *ctx, rag_error *err);

/* ---- evaluation --------------------------------------------------------- */

typedef struct rag_eval_opts {
    const char *dir;   /* a BEIR folder */
    const char *split; /* NULL: "test", or qrels.tsv */
    rag_mode mode;
    bool own_store; /* true: config.store_dir already holds the collection */
    void (*progress)(void *ctx, const rag_ingest_progress *p);
    void *ctx;
} rag_eval_opts;

typedef struct rag_eval_result {
    uint64_t n_queries;
    double ndcg_10, recall_10, recall_100, mrr_10, map_100;
    double queries_per_second;
    double ms_index, ms_search;
} rag_eval_result;

RAG_NODISCARD rag_status rag_eval_beir(rag_eval_result *out,
                                       const rag_config *cfg,
                                       const rag_eval_opts *opts,
                                       rag_error *err);

/* ---- versions ----------------------------------------------------------- */

const char *rag_version(void); /* "0.1.0" */
typedef void (*rag_version_fn)(void *ctx, const char *part,
                               const char *version);
/* Libraries, readers, rules, CPU tier: one line each. Loads the libraries that
 * are otherwise loaded on first use. */
void rag_version_build(rag_version_fn fn, void *ctx);

#endif /* RAG_H */

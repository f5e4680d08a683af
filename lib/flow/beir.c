/* rag_eval_beir(): a BEIR folder becomes a store, its judged queries are asked,
 * the answers measured. */

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/words.h"
#include "doc/chunk.h"
#include "flow/eval.h"
#include "flow/flow_priv.h"
#include "flow/retrieve.h"

#define DEPTH RAG_EVAL_DEPTH
/* a judged question is a sentence or an abstract */
#define MAX_QUERY_LINE_BYTES ((size_t)1 << 20)
/* Set in a store of our own once the whole corpus is in. */
#define DONE_META "eval.corpus"

/* ---- a run -------------------------------------------------------------- */

typedef struct run {
    const rag_eval_opts *opts;
    rag_config cfg; /* with the store's own folder */
    char *corpus;   /* real path */
    char *store_dir;
    rag *r;
    rag_map qrels_map;
    rag_map queries_map;
    rag_qrel *qrels; /* [n_qrels] by query, doc */
    size_t n_qrels;
    bool *asked;    /* [n_qrels] set at the first judgment of a query seen */
    double *grades; /* [n_qrels] scratch */
    rag_eval_result *out;
    rag_error broken; /* why the corpus could not be stored */
} run;

static rag_status map_text(rag_map *out, const char *dir, const char *name,
                           rag_error *err)
{
    char *path = rag_file_join(dir, name);
    rag_status st;

    if (path == NULL)
        return rag_fail_nomem(err);
    st = rag_file_map(out, path, err);
    rag_free(path);
    return st;
}

static rag_str text_of(const rag_map *m)
{
    return rag_str_n((const char *)m->ptr, m->len);
}

/* qrels/SPLIT.tsv when a split is named; else qrels/test.tsv or qrels.tsv. */
static rag_status load_qrels(run *u, rag_error *err)
{
    const char *split = u->opts->split;
    rag_status st;
    rag_buf name;

    rag_buf_init(&name, 4096);
    if (split != NULL && strchr(split, '/') != NULL) {
        st = rag_fail(err, RAG_E_INVAL, "'%s' cannot name a split", split);
        goto out;
    }
    rag_buf_addf(&name, "qrels/%s.tsv", split != NULL ? split : "test");
    TRY(rag_buf_status(&name, err));
    st = map_text(&u->qrels_map, u->opts->dir, name.ptr, err);
    if (st == RAG_E_NOTFOUND && (split == NULL || strcmp(split, "test") == 0)) {
        rag_error_clear(err);
        st = map_text(&u->qrels_map, u->opts->dir, "qrels.tsv", err);
    }
    if (st != RAG_OK)
        goto out;
    TRY(rag_eval_qrels(&u->qrels, &u->n_qrels, text_of(&u->qrels_map), err));
    u->asked = rag_calloc(u->n_qrels + 1, sizeof *u->asked);
    u->grades = rag_calloc(u->n_qrels + 1, sizeof *u->grades);
    if (u->asked == NULL || u->grades == NULL)
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&name);
    return st;
}

/* ---- the store ---------------------------------------------------------- */

static rag_status add_corpus(rag_sha256 *h, const char *path, rag_error *err)
{
    rag_map m;
    rag_status st = rag_file_map(&m, path, err);

    if (st != RAG_OK)
        return st;
    rag_sha256_add(h, m.ptr, m.len);
    rag_file_unmap(&m);
    return RAG_OK;
}

/* What the vectors depend on: the embedder's fingerprint, "none" without one.
 * By words alone no embedder is needed: one that cannot be had counts as none,
 * which is a store apart. */
static rag_status fingerprint_of(rag_buf *out, const run *u,
                                 const rag_config *cfg, rag_error *err)
{
    rag_embedder *e = NULL;
    char *model = NULL;
    rag_status st = rag_flow_embedder_new(&e, &model, cfg, err);

    if (st != RAG_OK && st != RAG_E_NOMEM && u->opts->mode == RAG_LEXICAL) {
        rag_error_clear(err);
        st = RAG_OK;
    }
    if (st == RAG_OK)
        rag_buf_addz(out, e != NULL ? rag_embed_fingerprint(e) : "none");
    rag_embed_free(e);
    rag_free(model);
    return st;
}

/* Everything that the store's content depends on, as the name of its folder:
 * the same corpus elsewhere finds the vectors that were paid for. */
static rag_status own_store(run *u, const rag_config *cfg, rag_error *err)
{
    rag_sha256 *h = rag_sha256_new();
    uint8_t digest[RAG_SHA256_BYTES];
    char hex[RAG_SHA256_BYTES * 2 + 1];
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, 8192);
    if (h == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (cfg->cache_dir == NULL) {
        st = rag_fail(err, RAG_E_INVAL,
                      "no cache folder: set HOME or XDG_CACHE_HOME");
        goto out;
    }
    rag_buf_addf(&b, "%s\n%s\n%u %u\n", rag_words_version(),
                 rag_chunk_version(), (unsigned)cfg->chunk_min_tokens,
                 (unsigned)cfg->chunk_max_tokens);
    TRY(fingerprint_of(&b, u, cfg, err));
    rag_buf_addc(&b, '\n');
    TRY(rag_buf_status(&b, err));
    rag_sha256_add(h, b.ptr, b.len);
    TRY(add_corpus(h, u->corpus, err));
    rag_sha256_end(h, digest);
    rag_hash_hex(hex, digest, sizeof digest / 2); /* enough to tell apart */
    rag_buf_clear(&b);
    rag_buf_addf(&b, "%s/eval/%s", cfg->cache_dir, hex);
    TRY(rag_buf_status(&b, err));
    u->store_dir = rag_buf_take(&b, NULL);
    if (u->store_dir == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    u->cfg.store_dir = u->store_dir;
    st = rag_file_mkdirs(u->store_dir, err);
out:
    rag_sha256_free(h);
    rag_buf_dispose(&b);
    return st;
}

/* Is there nothing left to ingest? */
static rag_status is_ready(bool *out, run *u, rag_error *err)
{
    rag_store *s = u->r->store;
    uint64_t missing = 0;
    rag_embedder *e;
    rag_status st;
    rag_buf b;

    *out = false;
    rag_buf_init(&b, 4096);
    TRY(rag_store_meta_get(&b, out, s, DONE_META, err));
    if (*out && u->opts->mode != RAG_LEXICAL) {
        TRY(rag_flow_embedder(&e, u->r, err));
        if (e != NULL)
            TRY(rag_store_unembedded_count(&missing, s, 0, err));
        *out = missing == 0;
    }
out:
    rag_buf_dispose(&b);
    return st;
}

typedef struct ids {
    int64_t *list;
    size_t n;
    size_t cap;
} ids;

static rag_status add_id(void *ctx, const rag_store_file *f, rag_error *err)
{
    ids *k = ctx;

    if (!rag_mem_grow(&k->list, &k->cap, k->n + 1, sizeof *k->list))
        return rag_fail_nomem(err);
    k->list[k->n++] = f->id;
    return RAG_OK;
}

/* A corpus that lay elsewhere when its ingest broke off would be found twice;
 * its vectors stay and are used again. */
static rag_status forget_all(rag *r, rag_error *err)
{
    ids k = {NULL, 0, 0};
    rag_status st;

    TRY(rag_store_files(r->store, 0, add_id, &k, err));
    for (size_t i = 0; i < k.n; i++)
        TRY(rag_store_file_remove(r->store, k.list[i], err));
    st = rag_store_flush(r->store, err);
out:
    rag_free(k.list);
    return st;
}

static rag_status other_root(void *ctx, const rag_store_root *root,
                             rag_error *err)
{
    run *u = ctx;

    (void)err;
    return rag_str_eqz(root->path, u->corpus) ? RAG_OK : RAG_E_CANCELLED;
}

static void hear_file(void *ctx, const rag_ingest_file *f)
{
    run *u = ctx;

    /* a corpus with broken lines is no corpus, though a folder's record file
     * with some is worth keeping */
    if (f->result != RAG_INGEST_REMOVED && f->result != RAG_INGEST_KEPT &&
        f->reason.len != 0)
        (void)rag_fail(
            &u->broken, RAG_E_FORMAT, "%.*s: %.*s",
            (int)(f->path.len < 200 ? f->path.len : 200), f->path.ptr,
            (int)(f->reason.len < 200 ? f->reason.len : 200), f->reason.ptr);
}

static void hear_progress(void *ctx, const rag_ingest_progress *p)
{
    const run *u = ctx;

    if (u->opts->progress != NULL)
        u->opts->progress(u->opts->ctx, p);
}

static rag_status fill(run *u, rag_error *err)
{
    const char *paths[] = {u->corpus};
    rag_ingest_opts o = {.paths = paths,
                         .n_paths = 1,
                         .stdin_fd = -1,
                         .prune = true,
                         .no_embed = u->opts->mode == RAG_LEXICAL};
    rag_ingest_watch watch = {
        .file = hear_file, .progress = hear_progress, .ctx = u};
    rag_ingest_report report;
    rag_status st;

    st = rag_store_roots(u->r->store, other_root, u, err);
    if (st == RAG_E_CANCELLED)
        st = forget_all(u->r, err);
    if (st != RAG_OK)
        goto out;
    TRY(rag_ingest(&report, u->r, &o, &watch, err));
    if (u->broken.code != RAG_OK) {
        st = rag_fail(err, u->broken.code, "%s", u->broken.msg);
        goto out;
    }
    TRY(rag_store_meta_set(u->r->store, DONE_META, RAG_STR_LIT("whole"), err));
    st = rag_store_flush(u->r->store, err);
out:
    return st;
}

static rag_status prepare(run *u, const rag_config *cfg, rag_error *err)
{
    bool ready = false;
    double began = rag_flow_now_ms();
    rag_status st;

    if (u->opts->own_store)
        return rag_open(&u->r, cfg, RAG_OPEN_READ, 0, err);
    TRY(own_store(u, cfg, err));
    TRY(rag_open(&u->r, &u->cfg, RAG_OPEN_CREATE, 0, err));
    TRY(is_ready(&ready, u, err));
    if (!ready)
        TRY(fill(u, err));
    u->out->ms_index = rag_flow_now_ms() - began;
out:
    return st;
}

/* ---- asking ------------------------------------------------------------- */

static int find_query(const void *key, const void *item)
{
    const rag_str *k = key;
    const rag_qrel *q = item;

    return rag_str_cmp(*k, q->query);
}

static int find_doc(const void *key, const void *item)
{
    const rag_str *k = key;
    const rag_qrel *q = item;

    return rag_str_cmp(*k, q->doc);
}

/* The judgments of a query: *first, and how many; 0: none. */
static size_t judged(size_t *first, const run *u, rag_str id)
{
    const rag_qrel *hit =
        u->n_qrels == 0
            ? NULL
            : bsearch(&id, u->qrels, u->n_qrels, sizeof *u->qrels, find_query);
    size_t a;
    size_t b;

    if (hit == NULL)
        return 0;
    a = b = (size_t)(hit - u->qrels);
    while (a > 0 && rag_str_eq(u->qrels[a - 1].query, id))
        a--;
    while (b < u->n_qrels && rag_str_eq(u->qrels[b].query, id))
        b++;
    *first = a;
    return b - a;
}

static rag_status ask(run *u, rag_str text, size_t first, size_t n,
                      rag_error *err)
{
    rag_retrieve_opts o = {.search = {.mode = u->opts->mode, .k = DEPTH},
                           .keep_duplicates = true,
                           .must_rerank = true,
                           .merge_records = DEPTH};
    double began = rag_flow_now_ms();
    double gains[DEPTH];
    rag_hits *hits = NULL;
    rag_status st = rag_retrieve(&hits, u->r, text, &o, err);

    if (st != RAG_OK)
        return st;
    u->out->ms_search += rag_flow_now_ms() - began;
    for (size_t i = 0; i < n; i++)
        u->grades[i] = u->qrels[first + i].grade;
    for (size_t i = 0; i < hits->n_hits && i < DEPTH; i++) {
        const rag_hit *h = &hits->hits[i];
        rag_str id = h->id.len != 0 ? h->id : h->document;
        const rag_qrel *q =
            bsearch(&id, u->qrels + first, n, sizeof *u->qrels, find_doc);

        gains[i] = q != NULL ? q->grade : 0;
    }
    rag_eval_add(u->out, gains, hits->n_hits < DEPTH ? hits->n_hits : DEPTH,
                 u->grades, n);
    rag_hits_free(hits);
    return RAG_OK;
}

/* One line of queries.jsonl. */
static rag_status take_query(run *u, rag_str line, size_t line_no,
                             rag_error *err)
{
    rag_json *root = NULL;
    const rag_json *v;
    size_t first = 0;
    size_t n;
    int64_t number;
    rag_str id = RAG_STR_LIT("");
    rag_str text;
    rag_status st;
    rag_buf digits;

    rag_buf_init(&digits, 32);
    TRY(rag_json_parse(&root, line, MAX_QUERY_LINE_BYTES, "query", err));
    v = rag_json_get(root, "_id");
    if (rag_json_i64(&number, v)) {
        rag_buf_addf(&digits, "%lld", (long long)number);
        id = rag_buf_str(&digits);
    } else if (!rag_json_str(&id, v)) {
        id = RAG_STR_LIT("");
    }
    if (id.len == 0 || !rag_json_str(&text, rag_json_get(root, "text"))) {
        st = rag_fail(err, RAG_E_FORMAT, "a query has _id and text");
        goto out;
    }
    n = judged(&first, u, id);
    if (n == 0)
        goto out;
    if (u->asked[first]) {
        st = rag_fail(err, RAG_E_FORMAT, "the query id occurs twice");
        goto out;
    }
    u->asked[first] = true;
    st = ask(u, text, first, n, err);
out:
    if (st == RAG_E_FORMAT || st == RAG_E_LIMIT)
        st = rag_fail_prefix(err, st, "queries.jsonl, line %zu", line_no);
    rag_buf_dispose(&digits);
    rag_json_free(root);
    return st;
}

static uint64_t count_queries(const run *u)
{
    uint64_t n = 0;

    for (size_t i = 0; i < u->n_qrels; i++)
        if (i == 0 || !rag_str_eq(u->qrels[i].query, u->qrels[i - 1].query))
            n++;
    return n;
}

static rag_status ask_all(run *u, rag_error *err)
{
    rag_str rest = text_of(&u->queries_map);
    uint64_t total = count_queries(u);
    double began = rag_flow_now_ms();
    size_t line_no = 0;
    rag_str line;

    while (rag_str_next_line(&line, &rest)) {
        rag_ingest_progress p = {"searching", u->out->n_queries, total,
                                 (rag_flow_now_ms() - began) / 1e3};
        rag_status st;

        line_no++;
        if (rag_str_trim(line).len == 0)
            continue;
        if (rag_flow_cancelled(u->r))
            return rag_fail(err, RAG_E_CANCELLED, "interrupted");
        st = take_query(u, line, line_no, err);
        if (st != RAG_OK)
            return st;
        hear_progress(u, &p);
    }
    if (u->out->n_queries == 0)
        return rag_fail(err, RAG_E_FORMAT,
                        "%s: no query of queries.jsonl has a judgment",
                        u->opts->dir);
    if (u->out->ms_search > 0)
        u->out->queries_per_second =
            (double)u->out->n_queries / (u->out->ms_search / 1e3);
    rag_eval_mean(u->out);
    return RAG_OK;
}

rag_status rag_eval_beir(rag_eval_result *out, const rag_config *cfg,
                         const rag_eval_opts *opts, rag_error *err)
{
    run u = {.opts = opts, .cfg = *cfg, .out = out};
    char *path = NULL;
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(load_qrels(&u, err));
    TRY(map_text(&u.queries_map, opts->dir, "queries.jsonl", err));
    path = rag_file_join(opts->dir, "corpus.jsonl");
    if (path == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (!opts->own_store)
        TRY(rag_file_real(&u.corpus, path, err));
    TRY(prepare(&u, cfg, err));
    st = ask_all(&u, err);
out:
    rag_close(u.r);
    rag_file_unmap(&u.queries_map);
    rag_file_unmap(&u.qrels_map);
    rag_free(u.qrels);
    rag_free(u.asked);
    rag_free(u.grades);
    rag_free(u.corpus);
    rag_free(u.store_dir);
    rag_free(path);
    return st;
}

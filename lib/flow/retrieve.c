#include "flow/retrieve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "flow/query.h"
#include "flow/rank.h"

#define CANDIDATES ((size_t)50)
/* candidates when phrases or -words will throw most of them away */
#define CANDIDATES_PICKY ((size_t)400)
#define MAX_CANDIDATES ((size_t)2000)
#define DEFAULT_K ((size_t)8)
#define MAX_NAME_BYTES ((size_t)1 << 17)
/* Two passages whose words agree so far are the same to a reader. */
#define DUPLICATE_JACCARD 0.9
/* chunks that the question's background cosine is taken from */
#define SAMPLE ((size_t)128)
/* best hits that are no background */
#define OWN_HITS ((size_t)3)
/* Coverage from which on nobody asks whether the store has the words. */
#define FOREIGN_COVERAGE 0.5
#define MAX_DIMS ((size_t)8192)

typedef struct search {
    rag *r;
    const rag_retrieve_opts *opts;
    rag_query *q;
    rag_store_filter *filter;
    size_t cap; /* of each list */
    rag_store_hit *dense;
    size_t n_dense;
    rag_store_hit *lexical;
    size_t n_lexical;
    float *vector;
    size_t dims;
    rag_hits *out;
    /* word sets of the hits taken, for near-duplicates */
    uint64_t **sets;
    size_t *set_sizes;
} search;

/* ---- filter ------------------------------------------------------------- */

static bool meta_has(const rag_json *meta, rag_str want)
{
    size_t eq = rag_str_find_char(want, '=');
    char key[256];
    rag_str have;

    if (eq == SIZE_MAX || eq >= sizeof key)
        return false;
    memcpy(key, want.ptr, eq);
    key[eq] = '\0';
    return rag_json_str(&have, rag_json_get(meta, key)) &&
           rag_str_eq(have, rag_str_cut(want, eq + 1, want.len));
}

static bool accept_doc(void *ctx, const rag_store_doc *d)
{
    const search *s = ctx;
    const rag_search_opts *o = &s->opts->search;
    bool ok = true;

    if (o->type != NULL && !rag_str_eqz(d->type, o->type))
        return false;
    if (o->since_ns != 0 && d->look.mtime_ns < o->since_ns)
        return false;
    if (o->path_glob != NULL)
        ok = rag_flow_means(s->r, rag_str_of(o->path_glob), d);
    if (ok && o->n_meta != 0) {
        rag_json *meta = NULL;
        rag_status st = d->meta.len != 0
                            ? rag_json_parse(&meta, d->meta, (size_t)1 << 20,
                                             "metadata", NULL)
                            : RAG_E_EMPTY;

        for (size_t i = 0; st == RAG_OK && ok && i < o->n_meta; i++)
            ok = meta_has(meta, rag_str_of(o->meta[i]));
        ok = ok && st == RAG_OK;
        rag_json_free(meta);
    }
    return ok;
}

static rag_status make_filter(search *s, rag_error *err)
{
    const rag_search_opts *o = &s->opts->search;
    rag_status st;

    if (o->type == NULL && o->since_ns == 0 && o->path_glob == NULL &&
        o->n_meta == 0)
        return RAG_OK;
    TRY(rag_store_filter_new(&s->filter, s->r->store, accept_doc, s, err));
    s->out->filtered_out = rag_store_filter_is_empty(s->filter);
out:
    return st;
}

/* ---- the two lists ------------------------------------------------------ */

static rag_status find_words(search *s, rag_error *err)
{
    double began = rag_flow_now_ms();
    rag_status st;

    st = rag_store_lexical(s->lexical, &s->n_lexical, s->cap, s->r->store,
                           s->q->terms, s->q->n_terms, s->filter, err);
    s->out->ms_lexical = rag_flow_now_ms() - began;
    return st;
}

/* The question's vector; *there false: this search goes by words alone, and
 * s->out->warning may say why. */
static rag_status embed_query(bool *there, search *s, rag_error *err)
{
    double began = rag_flow_now_ms();
    bool must = s->opts->search.mode == RAG_DENSE;
    rag_store_space space;
    rag_embedder *e;
    uint64_t windowed;
    rag_status st;

    *there = false;
    TRY(rag_store_space_active(&space, s->r->store, err));
    if (space.id == 0) {
        if (must)
            st = rag_fail(err, RAG_E_INVAL,
                          "the store has no vectors: run 'rag ingest' with an "
                          "embedding model (rag model add FILE)");
        goto out;
    }
    TRY(rag_flow_embedder(&e, s->r, err));
    if (e == NULL) {
        if (must)
            st = rag_fail(err, RAG_E_INVAL,
                          "no embedding model is set: embed.model is none");
        else if (s->r->cfg.embed_model == NULL)
            s->out->warning = "searching by words alone: the store has "
                              "vectors, but no embedding model is set (rag "
                              "model add FILE)";
        goto out;
    }
    TRY(rag_flow_check_space(&space, s->r, e, err));
    if (space.dims == 0 || space.dims > MAX_DIMS) {
        st = rag_fail(err, RAG_E_CORRUPT, "vectors of %zu numbers", space.dims);
        goto out;
    }
    s->dims = space.dims;
    s->vector = rag_calloc(s->dims, sizeof *s->vector);
    if (s->vector == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    windowed = rag_embed_windowed(e);
    st = rag_embed_one(s->vector, s->dims, e, rag_buf_str(&s->q->text),
                       RAG_EMBED_QUERY, err);
    st = rag_embed_blame(e, st, err);
    *there = st == RAG_OK;
    if (rag_embed_windowed(e) != windowed)
        s->out->warning = "the question is longer than the embedding model's "
                          "window: read in windows, averaged by length";
    if (!must && (st == RAG_E_NET || st == RAG_E_REMOTE) && err != NULL) {
        rag_buf b;

        rag_buf_init(&b, 1024);
        rag_buf_addf(&b, "searching by words alone: %s", err->msg);
        s->out->warning = b.failed == RAG_OK
                              ? rag_arena_strdup(&s->out->arena, b.ptr)
                              : "searching by words alone";
        rag_buf_dispose(&b);
        rag_error_clear(err);
        st = RAG_OK;
    }
    s->out->ms_embed = rag_flow_now_ms() - began;
out:
    return st;
}

static rag_status find_dense(search *s, rag_error *err)
{
    const char *warning = NULL;
    double began = rag_flow_now_ms();
    rag_status st =
        rag_store_dense(s->dense, &s->n_dense, s->cap, s->r->store, s->vector,
                        s->dims, s->filter, &warning, err);

    if (warning != NULL && s->out->warning == NULL)
        s->out->warning = warning;
    s->out->ms_dense = rag_flow_now_ms() - began;
    return st;
}

/* ---- evidence ----------------------------------------------------------- */

/* How much of the store is in the question's language, 0..1. Korean: the share
 * of its chunks that have what stands in every Korean text. Otherwise: the
 * share of what the question says (stop words, too) that the store has. */
static rag_status find_known(double *out, search *s, rag_error *err)
{
    rag_store_term terms[RAG_QUERY_MAX_TERMS];
    uint64_t df[RAG_QUERY_MAX_TERMS];
    bool korean = s->q->n_hangul * 2 > s->q->n_said;
    uint64_t n_live;
    uint64_t most = 0;
    size_t there = 0;
    size_t n = s->q->n_said;
    rag_status st = RAG_OK;

    *out = 1;
    if (n == 0)
        return RAG_OK;
    if (korean)
        TRY(rag_query_korean(terms, &n, s->q, err));
    TRY(rag_store_term_counts(df, &n_live, s->r->store,
                              korean ? terms : s->q->said, n, err));
    for (size_t i = 0; i < n; i++) {
        there += df[i] != 0 ? 1 : 0;
        most = df[i] > most ? df[i] : most;
    }
    if (!korean)
        *out = (double)there / (double)n;
    else if (n_live != 0)
        *out = (double)most / (double)n_live;
out:
    return st;
}

/* The question's cosines with a sample of the store, without its best hits: in
 * a small store they would be their own background. */
static rag_status find_background(double *out, search *s, rag_error *err)
{
    int64_t ids[SAMPLE];
    float cos[SAMPLE];
    size_t n = 0;
    size_t kept = 0;
    rag_status st;

    TRY(rag_store_sample(ids, &n, SAMPLE, s->r->store, err));
    for (size_t i = 0; i < n; i++) {
        bool best = false;

        for (size_t k = 0; k < s->n_dense && k < OWN_HITS; k++)
            best = best || s->dense[k].chunk_id == ids[i];
        if (!best)
            ids[kept++] = ids[i];
    }
    TRY(rag_store_cosines(cos, s->r->store, ids, kept, s->vector, s->dims,
                          err));
    *out = rag_rank_background(cos, kept);
out:
    return st;
}

static rag_status weigh(search *s, rag_error *err)
{
    rag_signals sig = {RAG_NONE, 1, RAG_NONE, RAG_NONE, s->n_dense != 0};
    rag_status st = RAG_OK;

    if (sig.has_vectors) {
        sig.top = (double)s->dense[0].score;
        TRY(find_background(&sig.background, s, err));
    }
    if (s->opts->search.mode != RAG_DENSE && s->q->n_words != 0) {
        sig.coverage = rag_rank_coverage(s->lexical, s->n_lexical);
        if (sig.has_vectors && sig.coverage < FOREIGN_COVERAGE)
            TRY(find_known(&sig.known, s, err));
    }
    s->out->evidence = rag_rank_evidence(&sig);
    s->out->relevant =
        s->out->evidence >= RAG_RANK_RELEVANT && s->n_dense + s->n_lexical != 0;
out:
    return st;
}

/* ---- what a hit shows --------------------------------------------------- */

static rag_status fill(search *s, rag_hit *h, const rag_ranked *from,
                       const rag_store_chunk *c, rag_error *err)
{
    rag_status st;

    h->score = from->score;
    h->dense = from->dense;
    h->lexical = from->lexical;
    h->rerank = RAG_NONE;
    h->coverage = from->coverage;
    TRY(rag_flow_shown(&h->document, &h->document_bytes, &s->out->arena, s->r,
                       c->root_path, c->key, c->record_id, err));
    h->id = c->record_id;
    h->type = c->type;
    h->title = c->title;
    h->headings = c->headings;
    h->n_headings = c->n_headings;
    h->page = c->page;
    h->page_end = c->page_end;
    h->line = c->line;
    h->line_end = c->line_end;
    h->has_lines = c->has_lines;
    h->start = c->start;
    h->end = c->end;
    h->chunk = c->stable_id;
    h->chunk_id = c->id;
    h->doc_id = c->doc_id;
    h->text = c->text;
    h->context = c->context;
    h->context_start = c->context_start;
    h->context_end = c->context_end;
    memcpy(h->source_sha256, c->sha256, sizeof h->source_sha256);
    if (s->opts->search.check_stale)
        h->stale_why =
            rag_flow_stale(c->root_path, c->key, &c->look, c->result);
    h->stale = h->stale_why != NULL;
out:
    return st;
}

typedef struct word_set {
    uint64_t *keys;
    size_t n;
    size_t cap;
} word_set;

static bool in_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c >= 0x80 && c < 0xE3);
}

/* Bytes of the word at s[at], 0 between words. Scripts without spaces count in
 * pairs of characters (three bytes each from U+3000 on), `*step` of which go to
 * the next pair. */
static size_t word_bytes(size_t *step, rag_str s, size_t at)
{
    size_t n = 0;

    if ((unsigned char)s.ptr[at] >= 0xE3) {
        bool two = s.len - at >= 6 && (unsigned char)s.ptr[at + 3] >= 0xE3;

        *step = s.len - at >= 3 ? 3 : s.len - at;
        return two ? 6 : *step;
    }
    while (at + n < s.len && in_word((unsigned char)s.ptr[at + n]))
        n++;
    *step = n != 0 ? n : 1;
    return n;
}

/* The words as they stand: stems and parts of codes would cost a quarter of a
 * search and tell two passages no better apart. */
static rag_status add_keys(word_set *set, rag_str text, rag_error *err)
{
    size_t step;

    for (size_t at = 0; at < text.len; at += step) {
        size_t n = word_bytes(&step, text, at);

        if (n == 0)
            continue;
        if (!rag_mem_grow(&set->keys, &set->cap, set->n + 1, sizeof *set->keys))
            return rag_fail_nomem(err);
        set->keys[set->n++] = rag_hash_fast(text.ptr + at, n);
    }
    return RAG_OK;
}

static int by_key(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double jaccard(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
    size_t i = 0;
    size_t j = 0;
    size_t both = 0;

    while (i < n && j < m) {
        if (a[i] == b[j]) {
            both++;
            i++;
            j++;
        } else if (a[i] < b[j]) {
            i++;
        } else {
            j++;
        }
    }
    return n + m == both ? 1 : (double)both / (double)(n + m - both);
}

/* Says much the same as a better hit? Otherwise its words are kept for those
 * that follow. */
static rag_status duplicate(bool *out, search *s, rag_str text, rag_error *err)
{
    word_set set = {NULL, 0, 0};
    size_t n = s->out->n_hits;
    rag_status st;

    *out = false;
    TRY(add_keys(&set, text, err));
    if (set.n != 0)
        qsort(set.keys, set.n, sizeof *set.keys, by_key);
    for (size_t i = 0; i < n && !*out; i++)
        *out = set.n != 0 && jaccard(set.keys, set.n, s->sets[i],
                                     s->set_sizes[i]) >= DUPLICATE_JACCARD;
    if (!*out) {
        s->sets[n] = set.keys;
        s->set_sizes[n] = set.n;
        set.keys = NULL;
    }
out:
    rag_free(set.keys);
    return st;
}

static bool same_record(const search *s, const rag_store_chunk *c)
{
    for (size_t i = 0; i < s->out->n_hits; i++)
        if (s->out->hits[i].doc_id == c->doc_id)
            return true;
    return false;
}

static rag_status take(search *s, const rag_ranked *from, rag_error *err)
{
    rag_store_chunk *c = rag_arena_alloc(&s->out->arena, sizeof *c);
    rag_hit *h = &s->out->hits[s->out->n_hits];
    rag_status st;
    bool yes = true;
    rag_buf crumb;

    if (c == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&crumb, MAX_NAME_BYTES);
    TRY(rag_store_chunk_get(c, &s->out->arena, s->r->store, from->chunk_id,
                            err));
    if (s->opts->merge_records != 0 && same_record(s, c))
        goto out;
    if (s->q->n_phrases + s->q->n_excluded != 0) {
        for (size_t i = 0; i < c->n_headings; i++) {
            rag_buf_adds(&crumb, c->headings[i]);
            rag_buf_addc(&crumb, '\n');
        }
        rag_buf_adds(&crumb, c->title);
        TRY(rag_buf_status(&crumb, err));
        TRY(rag_query_accepts(&yes, s->q, rag_buf_str(&crumb), c->text, err));
        if (!yes)
            goto out;
    }
    if (!s->opts->keep_duplicates) {
        TRY(duplicate(&yes, s, c->text, err));
        if (yes)
            goto out;
    }
    TRY(fill(s, h, from, c, err));
    h->rank = (uint32_t)++s->out->n_hits;
out:
    rag_buf_dispose(&crumb);
    return st;
}

static rag_status choose(search *s, size_t k, double weight, rag_error *err)
{
    size_t cap = s->n_dense + s->n_lexical;
    rag_ranked *ranked = rag_calloc(cap, sizeof *ranked);
    rag_status st = RAG_OK;
    size_t n;

    s->out->hits = rag_arena_array(&s->out->arena, k, sizeof *s->out->hits);
    s->sets = rag_calloc(k, sizeof *s->sets);
    s->set_sizes = rag_calloc(k, sizeof *s->set_sizes);
    if (ranked == NULL || s->out->hits == NULL || s->sets == NULL ||
        s->set_sizes == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    n = rag_rank_fuse(ranked, s->dense, s->n_dense, s->lexical, s->n_lexical,
                      weight);
    for (size_t i = 0; i < n && s->out->n_hits < k; i++)
        TRY(take(s, &ranked[i], err));
out:
    for (size_t i = 0; s->sets != NULL && i < s->out->n_hits; i++)
        rag_free(s->sets[i]);
    rag_free(s->sets);
    rag_free(s->set_sizes);
    rag_free(ranked);
    return st;
}

static rag_status run(search *s, size_t k, rag_error *err)
{
    rag_mode mode = s->opts->search.mode;
    double weight = s->r->cfg.retrieve_dense_weight;
    bool dense = false;
    rag_status st;

    /* before the view is opened: a slow server must not hold it */
    st = mode != RAG_LEXICAL ? embed_query(&dense, s, err) : RAG_OK;
    if (st == RAG_OK)
        st = rag_store_read_begin(s->r->store, err);
    if (st != RAG_OK)
        return st;
    TRY(make_filter(s, err));
    if (mode != RAG_DENSE)
        TRY(find_words(s, err));
    if (dense)
        TRY(find_dense(s, err));
    s->out->mode = !dense ? RAG_LEXICAL : mode;
    if (weight < 0 || weight > 1)
        weight = rag_rank_dense_weight(s->lexical, s->n_lexical);
    s->out->dense_weight = s->out->mode == RAG_HYBRID ? weight : RAG_NONE;
    TRY(weigh(s, err));
    st = choose(s, k, weight, err);
out:
    rag_store_read_end(s->r->store);
    return st;
}

rag_status rag_retrieve(rag_hits **out, rag *r, rag_str query,
                        const rag_retrieve_opts *opts, rag_error *err)
{
    search s = {.r = r, .opts = opts};
    size_t k = opts->search.k != 0 ? opts->search.k : r->cfg.retrieve_k;
    double began = rag_flow_now_ms();
    size_t n; /* hits before they are reranked */
    rag_status st;

    *out = NULL;
    if (k == 0)
        k = DEFAULT_K;
    if (k > MAX_CANDIDATES)
        k = MAX_CANDIDATES;
    n = k;
    if (rag_flow_reranks(r) && n < rag_flow_rerank_candidates(r))
        n = rag_flow_rerank_candidates(r);
    s.out = rag_calloc(1, sizeof *s.out);
    if (s.out == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&s.out->arena);
    s.out->evidence = RAG_NONE;
    TRY(rag_query_new(&s.q, query, opts->syntax, err));
    s.cap = opts->n_candidates != 0 ? opts->n_candidates : CANDIDATES;
    if (s.q->n_phrases + s.q->n_excluded != 0 && s.cap < CANDIDATES_PICKY)
        s.cap = CANDIDATES_PICKY;
    if (s.cap < n * 2)
        s.cap = n * 2;
    s.dense = rag_calloc(s.cap, sizeof *s.dense);
    s.lexical = rag_calloc(s.cap, sizeof *s.lexical);
    if (s.dense == NULL || s.lexical == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(run(&s, n, err));
    TRY(rag_flow_rerank(s.out, r, rag_buf_str(&s.q->text), k, opts->must_rerank,
                        err));
    s.out->ms_total = rag_flow_now_ms() - began;
    *out = s.out;
    s.out = NULL;
out:
    rag_hits_free(s.out);
    rag_store_filter_free(s.filter);
    rag_query_free(s.q);
    rag_free(s.dense);
    rag_free(s.lexical);
    rag_free(s.vector);
    return st;
}

rag_status rag_search(rag_hits **out, rag *r, rag_str query,
                      const rag_search_opts *opts, rag_error *err)
{
    rag_retrieve_opts o = {.search = *opts, .syntax = true};

    return rag_retrieve(out, r, query, &o, err);
}

void rag_hits_free(rag_hits *h)
{
    if (h == NULL)
        return;
    rag_arena_dispose(&h->arena);
    rag_free(h);
}

#include <string.h>

#include "base/mem.h"
#include "base/words.h"
#include "store/store_priv.h"

rag_status rag_lex_ready(rag_store *s, rag_error *err)
{
    rag_status st = RAG_OK;

    if (s->lex == NULL)
        TRY(rag_lex_new(&s->lex, s->db, err));
    /* the first words that are written decide which rules the index follows */
    if (s->in_txn && s->state.words_version[0] == '\0') {
        (void)sqlite3_snprintf((int)sizeof s->state.words_version,
                               s->state.words_version, "%s",
                               rag_words_version());
        s->state_dirty = true;
    }
out:
    return st;
}

/* ---- filters --------------------------------------------------------------
 */

typedef struct filter_job {
    rag_store *s;
    rag_store_filter *f;
    rag_store_accept accept;
    void *ctx;
} filter_job;

static rag_status filter_doc(void *ctx, const rag_store_doc *d,
                             int64_t first_chunk, rag_error *err)
{
    filter_job *job = ctx;
    uint64_t first = (uint64_t)first_chunk;
    uint64_t n_ids = (uint64_t)job->f->n_bytes * 8;

    if (!job->accept(job->ctx, d))
        return RAG_OK;
    if (first_chunk < 0 || first > n_ids || d->n_chunks > n_ids - first)
        return rag_db_corrupt(job->s, "a document's chunks make no sense", err);
    for (uint64_t id = first; id < first + d->n_chunks; id++)
        job->f->bits[id / 8] |= (uint8_t)(1u << (id % 8u));
    job->f->n_set += d->n_chunks;
    return RAG_OK;
}

rag_status rag_store_filter_new(rag_store_filter **out, rag_store *s,
                                rag_store_accept accept, void *ctx,
                                rag_error *err)
{
    filter_job job = {s, NULL, accept, ctx};
    rag_status st = rag_view_begin(s, err);

    *out = NULL;
    if (st != RAG_OK)
        return st;
    job.f = rag_calloc(1, sizeof *job.f);
    if (job.f == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    job.f->n_bytes = (size_t)s->state.next_chunk / 8 + 1;
    job.f->bits = rag_calloc(job.f->n_bytes, 1);
    if (job.f->bits == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_docs_each(s, 0, filter_doc, &job, err));
    *out = job.f;
    job.f = NULL;
out:
    rag_store_filter_free(job.f);
    rag_view_end(s);
    return st;
}

bool rag_store_filter_is_empty(const rag_store_filter *f)
{
    return f->n_set == 0;
}

void rag_store_filter_free(rag_store_filter *f)
{
    if (f == NULL)
        return;
    rag_free(f->bits);
    rag_free(f);
}

/* ---- words ----------------------------------------------------------------
 */

rag_status rag_store_lexical(rag_store_hit *hits, size_t *n, size_t cap,
                             rag_store *s, const rag_store_term *terms,
                             size_t n_terms, const rag_store_filter *filter,
                             rag_error *err)
{
    rag_bits live;
    rag_bits allowed;
    rag_status st;

    *n = 0;
    TRY(rag_txn_commit(s, err)); /* gathered words become findable */
    st = rag_view_begin(s, err);
    if (st != RAG_OK)
        return st;
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_lex_ready(s, err));
    live = rag_bitmap_bits(&s->live);
    if (filter != NULL) {
        allowed.bits = filter->bits;
        allowed.n_bytes = filter->n_bytes;
        allowed.n_set = filter->n_set;
    }
    TRY(rag_lex_search(hits, n, cap, s->lex, terms, n_terms, &live,
                       filter != NULL ? &allowed : NULL, err));
out:
    rag_view_end(s);
    return st;
}

rag_status rag_store_term_counts(uint64_t *df, uint64_t *n_live, rag_store *s,
                                 const rag_store_term *terms, size_t n_terms,
                                 rag_error *err)
{
    rag_bits live;
    rag_status st;

    *n_live = 0;
    TRY(rag_txn_commit(s, err));
    st = rag_view_begin(s, err);
    if (st != RAG_OK)
        return st;
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_lex_ready(s, err));
    live = rag_bitmap_bits(&s->live);
    *n_live = live.n_set;
    TRY(rag_lex_counts(df, s->lex, terms, n_terms, &live, err));
out:
    rag_view_end(s);
    return st;
}

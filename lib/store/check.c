#include <string.h>

#include "base/mem.h"
#include "base/words.h"
#include "store/store_priv.h"

/*
 * What `rag doctor` asks of the store. Each check says one line; with repair
 * what can be made again is made again: counters and bitmaps from the rows,
 * words from the text, the index file from the vectors.
 */

#define REPAIR "rag doctor --repair"
/* problems of SQLite that are shown; the first ones tell enough */
#define MAX_PROBLEMS 3

typedef struct check {
    rag_store *s;
    rag_store_check_fn fn;
    void *ctx;
    bool repair;
} check;

static void say(const check *c, const char *state, const char *what,
                const char *mend, const char *fmt, ...) RAG_PRINTF(5, 6);

static void say(const check *c, const char *state, const char *what,
                const char *mend, const char *fmt, ...)
{
    char detail[512];
    va_list ap;

    va_start(ap, fmt);
    (void)sqlite3_vsnprintf((int)sizeof detail, detail, fmt, ap);
    va_end(ap);
    c->fn(c->ctx, state, what, detail, mend);
}

/* Failures that end the whole check; others are what it reports. */
static bool is_fatal(rag_status st)
{
    return st == RAG_E_NOMEM || st == RAG_E_CANCELLED || st == RAG_E_BUSY;
}

/* ---- SQLite itself ----------------------------------------------------------
 */

static rag_status pragma_lines(const check *c, const char *sql,
                               const char *what, rag_error *err)
{
    static const char mend[] =
        "ingest the documents into a new store, or restore a copy";
    rag_error why = {RAG_OK, ""};
    unsigned n = 0;
    rag_q q = {0};
    bool row = true;
    rag_status st = rag_q_open(&q, c->s, sql, &why);

    while (st == RAG_OK && row && n <= MAX_PROBLEMS) {
        st = rag_q_step(&row, &q, &why);
        if (st == RAG_OK && row && !rag_str_eqz(rag_q_str(&q, 0), "ok")) {
            rag_str v = rag_q_str(&q, 0);

            n++;
            say(c, "fail", what, mend, "%.*s", (int)(v.len < 200 ? v.len : 200),
                v.ptr);
        }
    }
    rag_q_close(&q);
    if (is_fatal(st))
        return rag_fail(err, st, "%s", why.msg);
    if (st != RAG_OK)
        say(c, "fail", what, mend, "%s", why.msg);
    else if (n == 0)
        say(c, "ok", what, NULL, "no damage found");
    return RAG_OK;
}

/* ---- counters and the live bitmap
 * --------------------------------------------- */

typedef struct counted {
    rag_state sums;   /* n_*, text_bytes as the rows say */
    rag_bitmap live;  /* as the rows say */
    uint64_t n_wrong; /* documents whose parts are not all there */
} counted;

static rag_status one_number(int64_t *out, rag_store *s, const char *sql,
                             int64_t a, int64_t b, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    *out = 0;
    TRY(rag_q_open(&q, s, sql, err));
    if (sqlite3_bind_parameter_count(q.st) == 2) {
        rag_q_int(&q, a);
        rag_q_int(&q, b);
    }
    TRY(rag_q_step(&row, &q, err));
    if (row)
        *out = rag_q_col(&q, 0);
out:
    rag_q_close(&q);
    return st;
}

/* Numbers of a damaged table may be anything; a sum that overflows is as wrong
 * as one that does not. */
static void add_up(int64_t *sum, int64_t n)
{
    if (__builtin_add_overflow(*sum, n, sum))
        *sum = INT64_MAX;
}

/* Are all pieces and chunks of a document there? */
static rag_status parts_ok(bool *ok, rag_store *s, int64_t doc_id,
                           int64_t first, int64_t n, int64_t text_bytes,
                           rag_error *err)
{
    int64_t base = doc_id << RAG_DOC_SHIFT;
    int64_t have;
    rag_status st;

    *ok = false;
    TRY(one_number(&have, s,
                   "SELECT total(length(body)) FROM piece"
                   " WHERE id BETWEEN ?1 AND ?2",
                   base, base + ((int64_t)1 << RAG_DOC_SHIFT) - 1, err));
    if (have != text_bytes)
        return RAG_OK;
    TRY(one_number(&have, s,
                   "SELECT count(*) FROM chunk WHERE id BETWEEN ?1 AND ?2",
                   first, first + n - 1, err));
    *ok = have == n;
out:
    return st;
}

static rag_status count_docs(counted *t, rag_store *s, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "SELECT d.id,d.first_chunk,d.n_chunks,d.text_bytes"
                   " FROM version v JOIN doc d ON d.version_id=v.id"
                   " WHERE v.file_id IS NOT NULL",
                   err));
    for (;;) {
        int64_t id;
        int64_t first;
        int64_t n;
        bool ok = false;

        TRY(rag_q_step(&row, &q, err));
        if (!row)
            break;
        if (rag_cancelled(s)) {
            st = rag_fail_cancelled(err);
            goto out;
        }
        id = rag_q_col(&q, 0);
        first = rag_q_col(&q, 1);
        n = rag_q_col(&q, 2);
        if (id >= 1 && id < (int64_t)1 << (62 - RAG_DOC_SHIFT) && first >= 1 &&
            n >= 0 && first <= s->state.next_chunk &&
            n <= s->state.next_chunk - first) {
            TRY(parts_ok(&ok, s, id, first, n, rag_q_col(&q, 3), err));
            TRY(rag_bitmap_set(&t->live, first, n, true, err));
        }
        t->n_wrong += ok ? 0 : 1;
        t->sums.n_docs++;
        add_up(&t->sums.n_chunks, n);
        add_up(&t->sums.text_bytes, rag_q_col(&q, 3));
    }
out:
    rag_q_close(&q);
    return st;
}

static rag_status count_files(counted *t, rag_store *s, rag_error *err)
{
    rag_q q = {0};
    bool row;
    rag_status st;

    TRY(rag_q_open(&q, s,
                   "SELECT count(v.id),coalesce(sum(f.result=1),0),"
                   "coalesce(sum(f.result=2),0),"
                   "coalesce(sum(f.result=1 AND v.id IS NOT NULL),0)"
                   " FROM file f LEFT JOIN version v ON v.file_id=f.id",
                   err));
    TRY(rag_q_step(&row, &q, err));
    t->sums.n_files = rag_q_col(&q, 0);
    t->sums.n_failed = rag_q_col(&q, 1);
    t->sums.n_skipped = rag_q_col(&q, 2);
    t->sums.n_stale = rag_q_col(&q, 3);
out:
    rag_q_close(&q);
    return st;
}

static bool same_counts(const rag_state *a, const rag_state *b)
{
    return a->n_files == b->n_files && a->n_docs == b->n_docs &&
           a->n_chunks == b->n_chunks && a->n_failed == b->n_failed &&
           a->n_skipped == b->n_skipped && a->n_stale == b->n_stale &&
           a->text_bytes == b->text_bytes;
}

static bool same_bits(const rag_bitmap *a, const rag_bitmap *b)
{
    return rag_bitmap_count(a, NULL, b) == 0 &&
           rag_bitmap_count(b, NULL, a) == 0;
}

static rag_status put_counts(rag_store *s, const counted *t, rag_error *err)
{
    int64_t n_ids = s->state.next_chunk;
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    for (int64_t id = 0; id < n_ids; id++)
        TRY(rag_bitmap_set(&s->live, id, 1, rag_bitmap_get(&t->live, id), err));
    s->state.n_files = t->sums.n_files;
    s->state.n_docs = t->sums.n_docs;
    s->state.n_chunks = t->sums.n_chunks;
    s->state.n_failed = t->sums.n_failed;
    s->state.n_skipped = t->sums.n_skipped;
    s->state.n_stale = t->sums.n_stale;
    s->state.text_bytes = t->sums.text_bytes;
    s->state.generation++;
    s->state_dirty = true;
    TRY(rag_txn_commit(s, err));
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

static rag_status check_counts(const check *c, rag_error *err)
{
    rag_store *s = c->s;
    counted t;
    rag_status st;

    memset(&t, 0, sizeof t);
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(count_docs(&t, s, err));
    TRY(count_files(&t, s, err));
    if (t.n_wrong != 0)
        say(c, "fail", "documents", "rag ingest (of the files concerned)",
            "parts of %llu documents are missing",
            (unsigned long long)t.n_wrong);
    else
        say(c, "ok", "documents", NULL,
            "%lld documents, %lld chunks, all whole", (long long)t.sums.n_docs,
            (long long)t.sums.n_chunks);
    if (same_counts(&t.sums, &s->state) && same_bits(&t.live, &s->live)) {
        say(c, "ok", "counters", NULL, "agree with the documents");
    } else if (c->repair) {
        TRY(put_counts(s, &t, err));
        say(c, "ok", "counters", NULL, "counted again");
    } else {
        say(c, "fail", "counters", REPAIR, "do not agree with the documents");
    }
out:
    rag_bitmap_drop(&t.live);
    return st;
}

/* ---- words ------------------------------------------------------------------
 */

static rag_status check_words(const check *c, rag_error *err)
{
    rag_store *s = c->s;
    rag_error why = {RAG_OK, ""};
    uint64_t n = 0;
    bool current;
    rag_bits live;
    rag_status st;

    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_lex_ready(s, err));
    live = rag_bitmap_bits(&s->live);
    st = rag_lex_check(&n, s->lex, &live, &why);
    if (is_fatal(st))
        return rag_fail(err, st, "%s", why.msg);
    current = s->state.words_version[0] == '\0' ||
              strcmp(s->state.words_version, rag_words_version()) == 0;
    if (st == RAG_OK && current) {
        say(c, "ok", "words index", NULL, "%llu postings, all readable",
            (unsigned long long)n);
        return RAG_OK;
    }
    if (c->repair && s->opts.render != NULL) {
        TRY(rag_words_rebuild(s, err));
        say(c, "ok", "words index", NULL, "built again from the stored text");
    } else if (st != RAG_OK) {
        say(c, "fail", "words index", REPAIR, "%s", why.msg);
    } else {
        say(c, "warn", "words index", "rag ingest",
            "follows the rules %s, this version of rag has %s",
            s->state.words_version, rag_words_version());
    }
    return RAG_OK;
out:
    return st;
}

/* ---- vectors ----------------------------------------------------------------
 */

/* Is the vector of a chunk there, and of the right length? */
static rag_status vector_ok(bool *ok, rag_store *s, rag_space *sp, int64_t id,
                            rag_error *err)
{
    uint32_t v;
    rag_q q = {0};
    bool row;
    rag_status st;

    *ok = false;
    TRY(rag_nums_get(&v, &sp->vectors, s, id, err));
    TRY(rag_q_open(&q, s,
                   "SELECT length(data) FROM vector WHERE id=?1"
                   " AND space_id=?2",
                   err));
    rag_q_int(&q, v);
    rag_q_int(&q, sp->id);
    TRY(rag_q_step(&row, &q, err));
    *ok = row && rag_q_u64(&q, 0) == sp->dims * sizeof(uint16_t);
out:
    rag_q_close(&q);
    return st;
}

/* The chunk is embedded again by the next ingest. */
static rag_status unembed(rag_store *s, rag_space *sp, int64_t id,
                          rag_error *err)
{
    uint32_t v;
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(rag_nums_get(&v, &sp->vectors, s, id, err));
    TRY(rag_nums_set(&sp->vectors, s, id, 0, err));
    TRY(rag_bitmap_set(&sp->embedded, id, 1, false, err));
    TRY(rag_q_open(&q, s, "DELETE FROM vector WHERE id=?1", err));
    rag_q_int(&q, v); /* else its key would give it to the chunk again */
    TRY(rag_q_run(&q, err));
    s->state_dirty = true;
out:
    rag_q_close(&q);
    return st;
}

static rag_status check_space(uint64_t *n_bad, const check *c, rag_space *sp,
                              rag_error *err)
{
    rag_store *s = c->s;
    rag_status st = RAG_OK;

    for (size_t at = 0; at < s->live.n_bytes; at++) {
        unsigned v = s->live.bits[at];

        v &= at < sp->embedded.n_bytes ? sp->embedded.bits[at] : 0u;
        for (; v != 0; v &= v - 1) {
            int64_t id = (int64_t)at * 8 + __builtin_ctz(v);
            bool ok;

            if (rag_cancelled(s))
                return rag_fail_cancelled(err);
            TRY(vector_ok(&ok, s, sp, id, err));
            *n_bad += ok ? 0 : 1;
            if (!ok && c->repair)
                TRY(unembed(s, sp, id, err));
        }
    }
    if (c->repair)
        TRY(rag_txn_commit(s, err));
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

static rag_status check_vectors(const check *c, rag_error *err)
{
    rag_store *s = c->s;
    rag_space *sp = NULL;
    uint64_t n_bad = 0;
    uint64_t missing;
    rag_status st;

    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_space_use(&sp, s, 0, err));
    if (sp == NULL) {
        say(c, "ok", "vectors", NULL, "none: searches use words");
        return RAG_OK;
    }
    TRY(check_space(&n_bad, c, sp, err));
    missing = rag_bitmap_count(&s->live, NULL, &sp->embedded);
    if (n_bad != 0 && !c->repair)
        say(c, "fail", "vectors", REPAIR, "%llu are missing or damaged",
            (unsigned long long)n_bad);
    else if (missing != 0)
        say(c, "warn", "vectors", "rag ingest",
            "%llu chunks have none yet: found by words only",
            (unsigned long long)missing);
    else
        say(c, "ok", "vectors", NULL, "every chunk has one (%llu)",
            (unsigned long long)rag_bitmap_count(&s->live, NULL, NULL));
out:
    return st;
}

/* ---- the index file
 * ----------------------------------------------------------- */

static rag_status check_index(const check *c, rag_error *err)
{
    rag_store *s = c->s;
    rag_space *sp = NULL;
    rag_vindex *index = NULL;
    rag_error why = {RAG_OK, ""};
    rag_status st;

    TRY(rag_space_use(&sp, s, 0, err));
    if (sp == NULL)
        return RAG_OK;
    if (s->state.index_generation <= 0 || s->state.index_space != sp->id) {
        say(c, "ok", "vector index", NULL,
            "none: searches read the vectors themselves");
        return RAG_OK;
    }
    st = rag_index_verify(s, true, &why);
    if (is_fatal(st))
        return rag_fail(err, st, "%s", why.msg);
    if (st == RAG_OK) {
        TRY(rag_index_use(&index, s, sp, err));
        if (index != NULL) {
            say(c, "ok", "vector index", NULL,
                "%s, %lld vectors, generation %lld, hash as recorded",
                s->state.index_kind, (long long)s->state.index_vectors,
                (long long)s->state.index_generation);
            return RAG_OK;
        }
        (void)rag_fail(&why, RAG_E_INDEX,
                       "not made by this user (or the key is gone)");
    }
    if (c->repair && s->state_dir != NULL) {
        TRY(rag_index_rebuild(s, err));
        say(c, "ok", "vector index", NULL, "built again from the vectors");
    } else {
        say(c, "warn", "vector index", "rag ingest", "%s", why.msg);
    }
    st = RAG_OK;
out:
    return st;
}

/* ---- all of it
 * ------------------------------------------------------------------ */

/* A part that cannot even be read is one line, and the rest goes on. */
static rag_status part(const check *c, const char *what,
                       rag_status (*fn)(const check *, rag_error *),
                       rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    rag_status st = rag_view_begin(c->s, &why);

    if (st == RAG_OK) {
        /* a repair writes: then there is no other reader in this process */
        if (c->repair)
            rag_view_end(c->s);
        st = fn(c, &why);
        if (!c->repair)
            rag_view_end(c->s);
    }
    if (st == RAG_OK)
        return RAG_OK;
    if (is_fatal(st))
        return rag_fail(err, st, "%s", why.msg);
    say(c, "fail", what, REPAIR, "%s", why.msg);
    return RAG_OK;
}

rag_status rag_store_check(rag_store *s, bool repair, rag_store_check_fn fn,
                           void *ctx, rag_error *err)
{
    check c = {s, fn, ctx, repair};
    rag_status st;

    if (repair && !s->opts.write)
        return rag_fail(err, RAG_E_INVAL,
                        "the store %s was opened for reading only", s->dir);
    TRY(rag_txn_commit(s, err));
    TRY(pragma_lines(&c, "PRAGMA integrity_check(4)", "database", err));
    TRY(pragma_lines(&c, "PRAGMA foreign_key_check", "references", err));
    TRY(part(&c, "counters", check_counts, err));
    TRY(part(&c, "words index", check_words, err));
    TRY(part(&c, "vectors", check_vectors, err));
    TRY(part(&c, "vector index", check_index, err));
out:
    return st;
}

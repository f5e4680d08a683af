#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/words.h"
#include "store/store_priv.h"

/* below this many vectors an index is so quickly built that it follows every
 * change; above, new vectors are searched exactly until they are many */
#define SMALL_INDEX 20000
/* words gathered before they are written as a segment, in a rebuild */
#define REBUILD_BYTES ((size_t)16 << 20)
/* what one chunk may render to: far more than a chunk has */
#define RENDER_BYTES ((size_t)64 << 20)

/* ---- words built again ------------------------------------------------------
 */

static rag_status rebuild_chunk(rag_store *s, int64_t id, rag_buf *heading,
                                rag_buf *body, rag_error *err)
{
    rag_store_chunk chunk;
    rag_arena arena;
    rag_status st;

    rag_arena_init(&arena);
    rag_buf_clear(heading);
    rag_buf_clear(body);
    TRY(rag_store_chunk_get(&chunk, &arena, s, id, err));
    s->opts.render(heading, body, &chunk);
    TRY(rag_buf_status(heading, err));
    TRY(rag_buf_status(body, err));
    TRY(rag_lex_add(s->lex, id, rag_buf_str(heading), rag_buf_str(body), err));
    if (rag_lex_pending_bytes(s->lex) >= REBUILD_BYTES)
        TRY(rag_lex_flush(s->lex, err));
out:
    rag_arena_dispose(&arena);
    return st;
}

static rag_status rebuild_all(rag_store *s, rag_error *err)
{
    rag_buf heading;
    rag_buf body;
    rag_status st = RAG_OK;

    rag_buf_init(&heading, RENDER_BYTES);
    rag_buf_init(&body, RENDER_BYTES);
    for (size_t at = 0; at < s->live.n_bytes; at++)
        for (unsigned v = s->live.bits[at]; v != 0; v &= v - 1) {
            if (rag_cancelled(s)) {
                st = rag_fail_cancelled(err);
                goto out;
            }
            TRY(rebuild_chunk(s, (int64_t)at * 8 + __builtin_ctz(v), &heading,
                              &body, err));
        }
out:
    rag_buf_dispose(&heading);
    rag_buf_dispose(&body);
    return st;
}

/* In one transaction, however long: until it is committed searches use the old
 * words, and an interruption leaves them in place. */
rag_status rag_words_rebuild(rag_store *s, rag_error *err)
{
    rag_status st;

    if (s->opts.render == NULL)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "the words index cannot be built again here");
    TRY(rag_txn_commit(s, err));
    TRY(rag_txn_begin(s, err));
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_lex_ready(s, err));
    TRY(rag_lex_drop_all(s->lex, err));
    TRY(rebuild_all(s, err));
    (void)sqlite3_snprintf((int)sizeof s->state.words_version,
                           s->state.words_version, "%s", rag_words_version());
    s->state_dirty = true;
    TRY(rag_txn_commit(s, err));
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

static rag_status tidy_words(rag_store *s, rag_error *err)
{
    bool more = true;
    rag_bits live;
    rag_status st = RAG_OK;

    if (s->state.words_version[0] != '\0' &&
        strcmp(s->state.words_version, rag_words_version()) != 0 &&
        s->opts.render != NULL)
        TRY(rag_words_rebuild(s, err));
    while (more) {
        if (rag_cancelled(s))
            return rag_fail_cancelled(err);
        TRY(rag_txn_begin(s, err));
        TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
        TRY(rag_lex_ready(s, err));
        live = rag_bitmap_bits(&s->live);
        TRY(rag_lex_merge(&more, s->lex, &live, false, err));
        TRY(rag_txn_commit(s, err));
    }
out:
    if (st != RAG_OK)
        rag_txn_abort(s);
    return st;
}

/* ---- the vector index
 * --------------------------------------------------------- */

static rag_status index_wanted(bool *yes, rag_store *s, rag_error *err)
{
    rag_space *sp = NULL;
    rag_vindex *index = NULL;
    uint64_t all;
    uint64_t fresh;
    uint64_t gone;
    rag_status st;

    *yes = false;
    TRY(rag_space_use(&sp, s, 0, err));
    if (sp == NULL || s->state_dir == NULL)
        return RAG_OK;
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_bitmap_load(&s->indexed, s, RAG_BITS_INDEXED(sp->id), err));
    all = rag_bitmap_count(&s->live, &sp->embedded, NULL);
    if (all == 0)
        return RAG_OK;
    TRY(rag_index_use(&index, s, sp, err));
    if (index == NULL || rag_index_verify(s, false, NULL) != RAG_OK) {
        *yes = true;
        return RAG_OK;
    }
    fresh = rag_bitmap_count(&sp->embedded, &s->live, &s->indexed);
    gone = s->indexed.n_set - (all - fresh);
    if (all < SMALL_INDEX)
        *yes = fresh + gone != 0;
    else
        *yes = (fresh > SMALL_INDEX && fresh > all / 10) || gone > all;
out:
    return st;
}

rag_status rag_store_tidy(rag_store *s, bool rebuild_index, rag_error *err)
{
    bool yes = rebuild_index;
    rag_status st;

    TRY(rag_txn_commit(s, err));
    if (!s->opts.write)
        return rag_fail(err, RAG_E_INVAL,
                        "the store %s was opened for reading only", s->dir);
    if (!s->state_loaded)
        TRY(rag_state_load(s, err));
    rag_index_remove_old(s);
    TRY(rag_sweep_versions(s, err));
    TRY(tidy_words(s, err));
    TRY(rag_sweep_vectors(s, err));
    if (!yes)
        TRY(index_wanted(&yes, s, err));
    if (yes)
        st = rag_index_rebuild(s, err);
    if (st == RAG_E_UNSUPPORTED) {
        /* no BLAS to train with: searches stay exact, only slower */
        rag_log(RAG_LOG_WARN, "no vector index file: %s",
                err != NULL ? err->msg : "no BLAS");
        rag_error_clear(err);
        st = RAG_OK;
    }
out:
    return st;
}

/* ---- state
 * -------------------------------------------------------------------- */

static uint64_t size_of(const char *path)
{
    struct stat sb;

    return stat(path, &sb) == 0 && sb.st_size > 0 ? (uint64_t)sb.st_size : 0;
}

static uint64_t db_bytes(const rag_store *s)
{
    uint64_t sum = size_of(s->db_path);
    rag_buf path;

    rag_buf_init(&path, 1u << 16);
    rag_buf_addz(&path, s->db_path);
    rag_buf_addz(&path, "-wal");
    if (rag_buf_status(&path, NULL) == RAG_OK)
        sum += size_of(path.ptr);
    rag_buf_dispose(&path);
    return sum;
}

static uint64_t plain(int64_t v)
{
    return v < 0 ? 0 : (uint64_t)v;
}

rag_status rag_store_stats_get(rag_store_stats *out, rag_store *s,
                               rag_error *err)
{
    rag_space *sp = NULL;
    rag_status st = rag_view_begin(s, err);

    memset(out, 0, sizeof *out);
    if (st != RAG_OK)
        return st;
    TRY(rag_bitmap_load(&s->live, s, RAG_BITS_LIVE, err));
    TRY(rag_space_use(&sp, s, 0, err));
    out->n_files = plain(s->state.n_files);
    out->n_docs = plain(s->state.n_docs);
    out->n_chunks = plain(s->state.n_chunks);
    out->n_failed = plain(s->state.n_failed);
    out->n_skipped = plain(s->state.n_skipped);
    out->n_stale = plain(s->state.n_stale);
    out->text_bytes = plain(s->state.text_bytes);
    out->generation = plain(s->state.generation);
    out->store_bytes = db_bytes(s);
    out->words_fresh = s->state.words_version[0] == '\0' ||
                       strcmp(s->state.words_version, rag_words_version()) == 0;
    if (sp != NULL)
        out->n_vectors = rag_bitmap_count(&s->live, &sp->embedded, NULL);
    if (sp != NULL && s->state.index_generation > 0) {
        TRY(rag_bitmap_load(&s->indexed, s, RAG_BITS_INDEXED(sp->id), err));
        out->index_bytes = plain(s->state.index_bytes);
        out->index_vectors = plain(s->state.index_vectors);
        out->index_generation = plain(s->state.index_generation);
        out->index_fresh =
            rag_bitmap_count(&s->live, &sp->embedded, &s->indexed) == 0 &&
            rag_index_verify(s, false, NULL) == RAG_OK;
        memcpy(out->index_kind, s->state.index_kind, sizeof out->index_kind);
    }
    out->store_bytes += out->index_bytes;
out:
    rag_view_end(s);
    return st;
}

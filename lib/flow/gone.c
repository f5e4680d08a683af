#include "flow/gone.h"

#include <limits.h>
#include <stdio.h>

#include "base/mem.h"

/* A sync that would take more than half of a root's files away, and more than
 * this many, asks first. */
#define PRUNE_FREELY 10

typedef struct doomed {
    const rag_gone *g;
    rag_str prefix; /* of the part being looked at */
    int64_t *gone;  /* file ids */
    size_t n_gone;
    size_t cap_gone;
    int64_t *bare; /* gone, and nothing of them is stored but a failed look */
    size_t n_bare;
    size_t cap_bare;
    rag_arena arena; /* keys of what is kept and gone */
    rag_str *gone_keys;
    size_t n_keys;
    size_t cap_keys;
    rag_str *kept;
    size_t n_kept;
    size_t cap_kept;
    uint64_t n_files; /* of all parts, with a version */
} doomed;

/* The file's key below the walked folder; in the arena when it is a longer one.
 */
static bool key_of(rag_str *out, doomed *d, rag_str key)
{
    rag_buf b;
    bool ok;

    *out = key;
    if (d->prefix.len == 0)
        return true;
    rag_buf_init(&b, PATH_MAX * (size_t)16);
    rag_buf_adds(&b, d->prefix);
    if (key.len != 0)
        rag_buf_addc(&b, '/');
    rag_buf_adds(&b, key);
    ok = b.failed == RAG_OK && rag_arena_str(&d->arena, out, rag_buf_str(&b));
    rag_buf_dispose(&b);
    return ok;
}

static bool add_id(int64_t **ids, size_t *n, size_t *cap, int64_t id)
{
    if (!rag_mem_grow(ids, cap, *n + 1, sizeof **ids))
        return false;
    (*ids)[(*n)++] = id;
    return true;
}

static bool add_key(rag_str **keys, size_t *n, size_t *cap, doomed *d,
                    rag_str key)
{
    if (!rag_mem_grow(keys, cap, *n + 1, sizeof **keys) ||
        !rag_arena_str(&d->arena, &(*keys)[*n], key))
        return false;
    (*n)++;
    return true;
}

static rag_status judge(void *ctx, const rag_store_file *f, rag_error *err)
{
    doomed *d = ctx;
    rag_str sub = d->g->sub;
    rag_str key;
    bool ok = true;

    if (f->version_id != 0)
        d->n_files++;
    if (rag_sync_saw(d->g->sync, f->id))
        return RAG_OK;
    if (sub.len != 0 && !(f->key.len > sub.len && f->key.ptr[sub.len] == '/' &&
                          rag_str_eq(rag_str_cut(f->key, 0, sub.len), sub)))
        return RAG_OK; /* outside of what was asked for */
    if (!key_of(&key, d, f->key))
        return rag_fail_nomem(err);
    switch (rag_walk_ask(d->g->walk, key)) {
    case RAG_WALK_GONE:
        ok = f->version_id == 0
                 ? add_id(&d->bare, &d->n_bare, &d->cap_bare, f->id)
                 : add_id(&d->gone, &d->n_gone, &d->cap_gone, f->id) &&
                       add_key(&d->gone_keys, &d->n_keys, &d->cap_keys, d, key);
        break;
    case RAG_WALK_LEFT:
    case RAG_WALK_UNKNOWN:
        /* else there is nothing that could be kept */
        if (f->version_id != 0)
            ok = add_key(&d->kept, &d->n_kept, &d->cap_kept, d, key);
        break;
    case RAG_WALK_THERE:
        break;
    }
    return ok ? RAG_OK : rag_fail_nomem(err);
}

/* Too much to believe at once? It is said. */
static bool is_held(const doomed *d)
{
    const rag_gone *g = d->g;
    char line[256];
    int n;

    if (d->n_gone <= PRUNE_FREELY || d->n_gone * 2 <= d->n_files ||
        g->opts->prune)
        return false;
    n = snprintf(line, sizeof line,
                 "%zu of %llu files are gone: nothing was removed; if that is "
                 "right, run again with --prune",
                 d->n_gone, (unsigned long long)d->n_files);
    (void)n;
    g->report->needs_prune = true;
    if (g->watch != NULL && g->watch->note != NULL)
        g->watch->note(g->watch->ctx, line);
    return true;
}

rag_status rag_gone_remove(const rag_gone *g, rag_error *err)
{
    doomed d = {.g = g};
    bool dry = g->opts->dry_run;
    rag_status st = RAG_OK;
    bool held;

    rag_arena_init(&d.arena);
    for (size_t i = 0; i < g->n_parts; i++) {
        d.prefix = g->parts[i].prefix;
        TRY(rag_store_files(g->store, g->parts[i].root_id, judge, &d, err));
    }
    held = is_held(&d);
    for (size_t i = 0; i < d.n_bare && !dry; i++)
        TRY(rag_store_file_remove(g->store, d.bare[i], err));
    for (size_t i = 0; i < d.n_gone; i++) {
        if (!held && !dry)
            TRY(rag_store_file_remove(g->store, d.gone[i], err));
        TRY(rag_sync_tell(g->sync, g->root_path, d.gone_keys[i],
                          held ? RAG_INGEST_KEPT : RAG_INGEST_REMOVED,
                          held ? RAG_STR_LIT("gone, held back without --prune")
                               : RAG_STR_LIT(""),
                          err));
    }
    for (size_t i = 0; i < d.n_kept; i++)
        TRY(rag_sync_tell(g->sync, g->root_path, d.kept[i], RAG_INGEST_KEPT,
                          RAG_STR_LIT("not looked at in this run"), err));
out:
    rag_free(d.gone);
    rag_free(d.bare);
    rag_free(d.gone_keys);
    rag_free(d.kept);
    rag_arena_dispose(&d.arena);
    return st;
}

#include "flow/ingest_priv.h"

#include <limits.h>

#include "base/mem.h"

bool rag_ingest_swallows(rag_str *prefix, const char *path,
                         const rag_known_root *root)
{
    return root->path[0] == '/' && rag_known_below(prefix, path, root->path) &&
           prefix->len != 0;
}

typedef struct moves {
    rag_arena arena;
    int64_t *ids;
    rag_str *keys;
    size_t n;
    size_t cap_ids;
    size_t cap_keys;
    rag_str prefix;
} moves;

static rag_status plan_move(void *ctx, const rag_store_file *f, rag_error *err)
{
    moves *m = ctx;
    rag_buf b;
    rag_status st;

    rag_buf_init(&b, PATH_MAX * (size_t)16);
    rag_buf_adds(&b, m->prefix);
    if (f->key.len != 0 && m->prefix.len != 0)
        rag_buf_addc(&b, '/');
    rag_buf_adds(&b, f->key);
    st = rag_buf_status(&b, err);
    if (st == RAG_OK &&
        (!rag_mem_grow(&m->ids, &m->cap_ids, m->n + 1, sizeof *m->ids) ||
         !rag_mem_grow(&m->keys, &m->cap_keys, m->n + 1, sizeof *m->keys) ||
         !rag_arena_str(&m->arena, &m->keys[m->n], rag_buf_str(&b))))
        st = rag_fail_nomem(err);
    if (st == RAG_OK)
        m->ids[m->n++] = f->id;
    rag_buf_dispose(&b);
    return st;
}

rag_status rag_ingest_merge(rag_store *s, const rag_known *k, int64_t root_id,
                            const char *path, rag_error *err)
{
    rag_status st = RAG_OK;

    for (size_t i = 0; i < k->n && st == RAG_OK; i++) {
        moves m = {.n = 0};

        if (k->list[i].id == root_id ||
            !rag_ingest_swallows(&m.prefix, path, &k->list[i]))
            continue;
        rag_arena_init(&m.arena);
        st = rag_store_files(s, k->list[i].id, plan_move, &m, err);
        for (size_t f = 0; f < m.n && st == RAG_OK; f++)
            st = rag_store_file_move(s, m.ids[f], root_id, m.keys[f], err);
        if (st == RAG_OK)
            st = rag_store_root_drop(s, k->list[i].id, err);
        rag_free(m.ids);
        rag_free(m.keys);
        rag_arena_dispose(&m.arena);
    }
    return st;
}

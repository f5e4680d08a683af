/* Files that `rag rm --ignore` put on the store's list: full paths, each ended
 * by a NUL, because a name may hold every other byte. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/flow_priv.h"

#define IGNORE_META "ignore"

static int by_bytes(const void *a, const void *b)
{
    return rag_str_cmp(*(const rag_str *)a, *(const rag_str *)b);
}

void rag_flow_ignored_dispose(rag_flow_ignored *g)
{
    rag_free(g->list);
    rag_buf_dispose(&g->bytes);
    g->list = NULL;
    g->n = 0;
}

rag_status rag_flow_ignored_load(rag_flow_ignored *g, rag_store *s,
                                 rag_error *err)
{
    size_t cap = 0;
    rag_status st;
    rag_str rest;
    bool found;

    g->list = NULL;
    g->n = 0;
    rag_buf_init(&g->bytes, RAG_FLOW_MAX_META_BYTES);
    TRY(rag_store_meta_get(&g->bytes, &found, s, IGNORE_META, err));
    TRY(rag_buf_status(&g->bytes, err));
    rest = rag_buf_str(&g->bytes);
    while (rest.len != 0) {
        size_t end = rag_str_find_char(rest, '\0');

        if (!rag_mem_grow(&g->list, &cap, g->n + 1, sizeof *g->list)) {
            st = rag_fail_nomem(err);
            goto out;
        }
        g->list[g->n++] = rag_str_cut(rest, 0, end);
        rest = end == SIZE_MAX ? rag_str_n(NULL, 0)
                               : rag_str_cut(rest, end + 1, rest.len);
    }
    if (g->n != 0)
        qsort(g->list, g->n, sizeof *g->list, by_bytes);
out:
    return st;
}

bool rag_flow_ignored_has(const rag_flow_ignored *g, rag_str path)
{
    return g->n != 0 &&
           bsearch(&path, g->list, g->n, sizeof *g->list, by_bytes) != NULL;
}

rag_status rag_flow_ignored_change(rag_store *s, const rag_str *paths,
                                   size_t n_paths, bool add, rag_error *err)
{
    rag_flow_ignored g = {.n = 0};
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, RAG_FLOW_MAX_META_BYTES);
    TRY(rag_flow_ignored_load(&g, s, err));
    for (size_t i = 0; i < g.n; i++) {
        bool drop = false;

        for (size_t k = 0; k < n_paths && !drop; k++)
            drop = rag_str_eq(g.list[i], paths[k]);
        if (drop)
            continue; /* added again below, or taken off */
        rag_buf_adds(&b, g.list[i]);
        rag_buf_addc(&b, '\0');
    }
    for (size_t k = 0; add && k < n_paths; k++) {
        rag_buf_adds(&b, paths[k]);
        rag_buf_addc(&b, '\0');
    }
    TRY(rag_buf_status(&b, err));
    st = rag_store_meta_set(s, IGNORE_META, rag_buf_str(&b), err);
out:
    rag_buf_dispose(&b);
    rag_flow_ignored_dispose(&g);
    return st;
}

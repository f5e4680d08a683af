#include "nn/source.h"

#include <string.h>

#include "base/mem.h"

void rag_source_close(rag_source *s)
{
    for (size_t i = 0; i < s->n_maps; i++)
        rag_file_unmap(&s->maps[i]);
    if (s->arena != NULL)
        rag_arena_dispose(s->arena);
    rag_free(s->arena);
    memset(s, 0, sizeof *s);
}

const rag_source_tensor *rag_source_find(const rag_source *s,
                                         rag_source_part part, uint32_t layer)
{
    for (size_t i = 0; i < s->n_tensors; i++) {
        const rag_source_tensor *t = &s->tensors[i];

        if (t->part == part && t->layer == layer)
            return t;
    }
    return NULL;
}

#include "nn/binread.h"

const unsigned char *rag_binread_take(rag_binread *r, uint64_t n)
{
    const unsigned char *p = r->ptr + r->at;

    if (r->bad || n > r->len - r->at) {
        r->bad = true;
        return NULL;
    }
    r->at += (size_t)n;
    return p;
}

uint64_t rag_binread_number_at(const unsigned char *p, size_t n_bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n_bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint64_t rag_binread_number(rag_binread *r, size_t n_bytes)
{
    const unsigned char *p = rag_binread_take(r, n_bytes);

    return p != NULL ? rag_binread_number_at(p, n_bytes) : 0;
}

#include "nn/pbwire.h"

/* 64 bits in groups of 7 */
#define MAX_VARINT_BYTES 10u

rag_pbwire rag_pbwire_of(rag_str message)
{
    return (rag_pbwire){(const unsigned char *)message.ptr, message.len, 0,
                        false};
}

bool rag_pbwire_varint(uint64_t *out, rag_pbwire *r)
{
    *out = 0;
    for (unsigned i = 0; i < MAX_VARINT_BYTES && r->at < r->len; i++) {
        unsigned char b = r->ptr[r->at++];

        if (i == MAX_VARINT_BYTES - 1 && b > 1)
            break;
        *out |= (uint64_t)(b & 127u) << 7 * i;
        if (b < 128)
            return true;
    }
    r->bad = true;
    return false;
}

static bool fixed(uint64_t *out, rag_pbwire *r, size_t n)
{
    *out = 0;
    if (n > r->len - r->at) {
        r->bad = true;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)r->ptr[r->at + i] << 8 * i;
    r->at += n;
    return true;
}

bool rag_pbwire_next(rag_pbwire_field *f, rag_pbwire *r)
{
    uint64_t tag;
    uint64_t n;

    if (r->bad || r->at == r->len || !rag_pbwire_varint(&tag, r))
        return false;
    f->no = (uint32_t)(tag >> 3);
    f->is_bytes = false;
    f->bytes = rag_str_n("", 0);
    f->value = 0;
    if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) {
        r->bad = true;
        return false;
    }
    switch (tag & 7) {
    case 0:
        return rag_pbwire_varint(&f->value, r);
    case 1:
        return fixed(&f->value, r, 8);
    case 2:
        if (!rag_pbwire_varint(&n, r) || n > r->len - r->at) {
            r->bad = true;
            return false;
        }
        f->is_bytes = true;
        f->bytes = rag_str_n((const char *)r->ptr + r->at, (size_t)n);
        r->at += (size_t)n;
        return true;
    case 5:
        return fixed(&f->value, r, 4);
    default:
        r->bad = true;
        return false;
    }
}

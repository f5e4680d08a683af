#include "store/lex_codec.h"

#include <string.h>

#define MAX_ORD_BITS 32u
#define MAX_TF_BITS 4u
/* packed bytes of a block at most, and what an unaligned read may touch */
#define MAX_PACKED_BYTES (RAG_LEX_BLOCK * MAX_ORD_BITS / 8)
#define READ_SLACK 8u

rag_lex_bytes rag_lex_codec_bytes(const void *ptr, size_t n)
{
    const uint8_t *p = ptr;

    return (rag_lex_bytes){p, n != 0 ? p + n : p};
}

/* ---- numbers ------------------------------------------------------------- */

void rag_lex_codec_put_int(rag_buf *out, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;

    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    rag_buf_add(out, bytes, n);
}

bool rag_lex_codec_get_int(uint64_t *v, rag_lex_bytes *in)
{
    uint64_t made = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t c;

        if (in->ptr == in->end)
            return false;
        c = *in->ptr++;
        if (shift == 63 && c > 1)
            return false;
        made |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80) {
            *v = made;
            return true;
        }
    }
    return false;
}

/* ---- packing ------------------------------------------------------------- */

static unsigned bits_of(uint32_t v)
{
    return v == 0 ? 0 : 32u - (unsigned)__builtin_clz(v);
}

static size_t packed_bytes(unsigned bits)
{
    return (size_t)bits * RAG_LEX_BLOCK / 8;
}

static uint64_t load_le(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static void pack(rag_buf *out, const uint32_t v[RAG_LEX_BLOCK], unsigned bits)
{
    uint8_t packed[MAX_PACKED_BYTES + READ_SLACK];
    uint64_t acc = 0;
    unsigned filled = 0;
    size_t n = 0;

    for (size_t i = 0; i < RAG_LEX_BLOCK; i++) {
        acc |= (uint64_t)v[i] << filled;
        filled += bits;
        while (filled >= 8) {
            packed[n++] = (uint8_t)acc;
            acc >>= 8;
            filled -= 8;
        }
    }
    rag_buf_add(out, packed, n);
}

/* The copy gives every read its slack behind the end. */
static bool unpack(uint32_t v[RAG_LEX_BLOCK], rag_lex_bytes *in, unsigned bits)
{
    uint8_t packed[MAX_PACKED_BYTES + READ_SLACK];
    size_t n = packed_bytes(bits);
    uint32_t mask = bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
    size_t at = 0;

    if ((size_t)(in->end - in->ptr) < n)
        return false;
    memcpy(packed, in->ptr, n);
    memset(packed + n, 0, READ_SLACK);
    in->ptr += n;
    for (size_t i = 0; i < RAG_LEX_BLOCK; i++, at += bits)
        v[i] = (uint32_t)(load_le(packed + at / 8) >> at % 8) & mask;
    return true;
}

/* ---- blocks -------------------------------------------------------------- */

static void put_full(rag_buf *out, uint32_t *next, const rag_lex_block *b)
{
    uint32_t gaps[RAG_LEX_BLOCK];
    uint32_t tfs[RAG_LEX_BLOCK];
    uint32_t any_gap = 0;
    uint32_t any_tf = 0;
    uint32_t from = *next;

    for (size_t i = 0; i < RAG_LEX_BLOCK; i++) {
        gaps[i] = b->ords[i] - from;
        tfs[i] = b->tfs[i];
        from = b->ords[i] + 1;
        any_gap |= gaps[i];
        any_tf |= tfs[i];
    }
    rag_buf_addc(out, (char)bits_of(any_gap));
    rag_buf_addc(out, (char)bits_of(any_tf));
    pack(out, gaps, bits_of(any_gap));
    pack(out, tfs, bits_of(any_tf));
    *next = from;
}

void rag_lex_codec_put(rag_buf *out, uint32_t *next, const rag_lex_block *b)
{
    uint32_t from = *next;

    if (b->n == RAG_LEX_BLOCK) {
        put_full(out, next, b);
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t gap = b->ords[i] - from;

        rag_lex_codec_put_int(out, gap << 1 | (b->tfs[i] != 0));
        if (b->tfs[i] != 0)
            rag_buf_addc(out, (char)b->tfs[i]);
        from = b->ords[i] + 1;
    }
    *next = from;
}

static bool get_full(rag_lex_block *b, uint32_t *next, rag_lex_bytes *in,
                     uint32_t limit)
{
    uint32_t codes[RAG_LEX_BLOCK];
    uint64_t from = *next;
    unsigned ord_bits;
    unsigned tf_bits;

    if (in->end - in->ptr < 2)
        return false;
    ord_bits = in->ptr[0];
    tf_bits = in->ptr[1];
    in->ptr += 2;
    if (ord_bits > MAX_ORD_BITS || tf_bits > MAX_TF_BITS ||
        !unpack(b->ords, in, ord_bits))
        return false;
    for (size_t i = 0; i < RAG_LEX_BLOCK; i++) {
        from += b->ords[i];
        b->ords[i] = (uint32_t)from;
        from++;
    }
    if (from > limit) /* ordinals only grow: the last one tells of all */
        return false;
    *next = (uint32_t)from;
    b->n = RAG_LEX_BLOCK;
    if (tf_bits == 0) {
        memset(b->tfs, 0, sizeof b->tfs);
        return true;
    }
    if (!unpack(codes, in, tf_bits))
        return false;
    for (size_t i = 0; i < RAG_LEX_BLOCK; i++)
        b->tfs[i] = (uint8_t)codes[i];
    return true;
}

bool rag_lex_codec_get(rag_lex_block *b, uint32_t *next, rag_lex_bytes *in,
                       uint32_t left, uint32_t limit)
{
    b->n = 0;
    if (left >= RAG_LEX_BLOCK)
        return get_full(b, next, in, limit);
    while (b->n < left) {
        uint64_t v;
        uint8_t tf = 0;

        if (!rag_lex_codec_get_int(&v, in))
            return false;
        if ((v & 1) != 0) {
            if (in->ptr == in->end || *in->ptr >= RAG_LEX_TF_CODES)
                return false;
            tf = *in->ptr++;
        }
        v >>= 1;
        if (v >= (uint64_t)limit - *next)
            return false;
        b->ords[b->n] = *next + (uint32_t)v;
        b->tfs[b->n] = tf;
        *next = b->ords[b->n] + 1;
        b->n++;
    }
    return true;
}

/* ---- quantised frequencies and lengths ----------------------------------- */

static const uint8_t tf_steps[RAG_LEX_TF_CODES] = {
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64};

uint8_t rag_lex_codec_tf_code(uint32_t tf)
{
    uint8_t code = 0;

    while (code + 1u < RAG_LEX_TF_CODES && tf_steps[code + 1] <= tf)
        code++;
    return code;
}

uint32_t rag_lex_codec_tf(uint8_t code)
{
    return tf_steps[code % RAG_LEX_TF_CODES];
}

/* Code 64 + 16 * k + r stands for (16 + r) * 2^(k + 2). */
uint8_t rag_lex_codec_len_code(uint32_t n_words)
{
    unsigned k;

    if (n_words < 64)
        return (uint8_t)n_words;
    k = bits_of(n_words) - 7; /* 64..127: 0 */
    if (k > 11)
        return UINT8_MAX;
    return (uint8_t)(64 + 16 * k + ((n_words >> (k + 2)) & 15));
}

uint32_t rag_lex_codec_len(uint8_t code)
{
    unsigned k = (code - 64u) / 16;

    if (code < 64)
        return code;
    return (16u + code % 16) << (k + 2);
}

#ifndef RAG_NN_TRIE_H
#define RAG_NN_TRIE_H

/*
 * trie — a set of byte strings with a number each, as one array of 32-bit units
 * that is used where it lies in the model file.
 *
 * A double array with XOR offsets. A unit holds its own label (bits 0-7), "has
 * a value" (bit 8) and the offset to its children: child c of unit i is unit i
 * ^ offset ^ c, and it is one if its label is c. The value of a key is the unit
 * i ^ offset of its last unit: bit 31 and the number. Units nobody owns have
 * bit 31 too, so they are no one's child.
 *
 * Errors:  RAG_E_FORMAT (keys empty, with NUL, not ascending), RAG_E_LIMIT,
 *          RAG_E_NOMEM.
 * Threads: safe to share.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

#define RAG_TRIE_VALUE 0x80000000u
#define RAG_TRIE_HAS_VALUE 0x100u

typedef struct rag_trie {
    const uint32_t *units; /* [n_units], untrusted */
    uint32_t n_units;      /* at least 1 */
} rag_trie;

static inline uint32_t rag_trie_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & 0x200u) >> 6);
}

/* Steps from unit *at (0 at the start) along byte c; false: nothing there. */
static inline bool rag_trie_step(uint32_t *at, const rag_trie *t, uint8_t c)
{
    uint32_t next = *at ^ rag_trie_offset(t->units[*at]) ^ c;

    if (next >= t->n_units || (t->units[next] & (RAG_TRIE_VALUE | 0xFFu)) != c)
        return false;
    *at = next;
    return true;
}

/* The number of the key that ends at unit `at`; false: none does. */
static inline bool rag_trie_value(uint32_t *value, const rag_trie *t,
                                  uint32_t at)
{
    uint32_t unit = t->units[at];
    uint32_t v;

    if ((unit & RAG_TRIE_HAS_VALUE) == 0)
        return false;
    v = at ^ rag_trie_offset(unit);
    if (v >= t->n_units)
        return false;
    *value = t->units[v] & ~RAG_TRIE_VALUE;
    return true;
}

/* Keys strictly ascending by bytes, none empty, none with a NUL; values below
 * 2^31. *units to be freed with rag_free(). */
RAG_NODISCARD rag_status rag_trie_build(uint32_t **units, size_t *n_units,
                                        const rag_str *keys,
                                        const uint32_t *values, size_t n_keys,
                                        rag_error *err);

#endif /* RAG_NN_TRIE_H */

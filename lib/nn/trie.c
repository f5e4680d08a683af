/*
 * Building: the children of one node are placed together, at the first base
 * where all their units are free. Bases are never shared (a shared base would
 * make one node's child look like another's). Only the last blocks are searched
 * for room; what is free in older ones stays so, which costs a few per cent of
 * space and makes building linear.
 */
#include "nn/trie.h"

#include <string.h>

#include "base/mem.h"

#define BLOCK 256u
/* blocks in which room is looked for; more packs tighter, and slower */
#define OPEN_BLOCKS 16u
/* units an offset can reach: 21 bits, or 29 when the low 8 are zero */
#define NEAR_UNITS (1u << 21)
#define MAX_UNITS (1u << 29)
/* longest key: bounds the depth of the walk below */
#define MAX_KEY_BYTES 4096u

#define USED 1u /* the unit is someone's */
#define BASE 2u /* someone's children are counted from here */

typedef struct node {
    uint32_t at; /* its unit */
    uint32_t lo; /* keys [lo, hi) pass through it */
    uint32_t hi;
    uint32_t depth;
} node;

typedef struct builder {
    const rag_str *keys;
    const uint32_t *values;
    uint32_t *units; /* [n_units], room for cap */
    uint8_t *state;  /* [n_units] */
    uint32_t *next;  /* [n_units] free list in ascending order, 0 ends it */
    size_t n_units;
    size_t cap;
    uint32_t free_head; /* first free unit in the open blocks, 0: none */
    uint32_t free_tail;
    node *todo; /* stack */
    size_t n_todo;
    size_t todo_cap;
} builder;

static bool add_block(builder *b)
{
    size_t n = b->n_units + BLOCK;

    if (n > MAX_UNITS)
        return false;
    if (n > b->cap) {
        size_t cap = b->cap * 2 > n ? b->cap * 2 : n;
        uint32_t *units = rag_realloc_array(b->units, cap, sizeof *units);
        uint8_t *state;
        uint32_t *next;

        if (units == NULL)
            return false;
        b->units = units;
        state = rag_realloc_array(b->state, cap, sizeof *state);
        if (state == NULL)
            return false;
        b->state = state;
        next = rag_realloc_array(b->next, cap, sizeof *next);
        if (next == NULL)
            return false;
        b->next = next;
        b->cap = cap;
    }
    for (size_t i = b->n_units; i < n; i++) {
        b->units[i] = RAG_TRIE_VALUE;
        b->state[i] = 0;
        b->next[i] = i + 1 < n ? (uint32_t)(i + 1) : 0;
    }
    if (b->n_units == 0) { /* the root; base 0 would make it its own child */
        b->units[0] = 0;
        b->state[0] = USED | BASE;
        b->free_head = 1;
    } else if (b->free_head == 0) {
        b->free_head = (uint32_t)b->n_units;
    } else {
        b->next[b->free_tail] = (uint32_t)b->n_units;
    }
    b->free_tail = (uint32_t)(n - 1);
    b->n_units = n;
    return true;
}

/* Drops used units, and those of closed blocks, off the front of the list. */
static void trim_free(builder *b)
{
    size_t open = b->n_units > (size_t)OPEN_BLOCKS * BLOCK
                      ? b->n_units - (size_t)OPEN_BLOCKS * BLOCK
                      : 0;

    while (b->free_head != 0 &&
           (b->free_head < open || (b->state[b->free_head] & USED) != 0))
        b->free_head = b->next[b->free_head];
}

static bool fits(const builder *b, uint32_t at, uint32_t base,
                 const uint8_t *labels, size_t n_labels)
{
    uint32_t offset = at ^ base;

    if ((b->state[base] & BASE) != 0)
        return false;
    if (offset >= NEAR_UNITS && (offset & 0xFFu) != 0)
        return false;
    for (size_t i = 0; i < n_labels; i++) {
        if ((b->state[base ^ labels[i]] & USED) != 0)
            return false;
    }
    return true;
}

/* A base for the children of unit `at`; 0: out of memory or too large. */
static uint32_t find_base(builder *b, uint32_t at, const uint8_t *labels,
                          size_t n_labels)
{
    uint32_t prev = 0;
    uint32_t base;

    trim_free(b);
    for (uint32_t i = b->free_head; i != 0; i = b->next[i]) {
        if ((b->state[i] & USED) != 0) { /* unlink on the way */
            b->next[prev] = b->next[i];
            if (b->free_tail == i)
                b->free_tail = prev;
            continue;
        }
        base = i ^ labels[0];
        if (fits(b, at, base, labels, n_labels))
            return base;
        prev = i;
    }
    base = (uint32_t)b->n_units | (at & 0xFFu);
    return add_block(b) ? base : 0;
}

static rag_status push(builder *b, node n, rag_error *err)
{
    if (!rag_mem_grow(&b->todo, &b->todo_cap, b->n_todo + 1, sizeof n))
        return rag_fail_nomem(err);
    b->todo[b->n_todo++] = n;
    return RAG_OK;
}

/* The label of key i at the node's depth; 0: it ends here. */
static uint8_t label_of(const builder *b, uint32_t i, uint32_t depth)
{
    rag_str key = b->keys[i];

    return depth < key.len ? (uint8_t)key.ptr[depth] : 0;
}

static rag_status place(builder *b, node n, rag_error *err)
{
    uint8_t labels[256];
    uint32_t from[257];
    size_t n_labels = 0;
    uint32_t base;
    uint32_t offset;

    for (uint32_t i = n.lo; i < n.hi; i++) {
        uint8_t c = label_of(b, i, n.depth);

        if (n_labels == 0 || labels[n_labels - 1] != c) {
            labels[n_labels] = c;
            from[n_labels++] = i;
        }
    }
    from[n_labels] = n.hi;
    base = find_base(b, n.at, labels, n_labels);
    if (base == 0)
        return b->n_units + BLOCK > MAX_UNITS
                   ? rag_fail(err, RAG_E_LIMIT, "trie: too many pieces")
                   : rag_fail_nomem(err);
    b->state[base] |= BASE;
    offset = n.at ^ base;
    b->units[n.at] |=
        offset < NEAR_UNITS ? offset << 10 : (offset >> 8) << 10 | 0x200u;
    for (size_t i = 0; i < n_labels; i++) {
        uint32_t child = base ^ labels[i];

        b->state[child] |= USED;
        if (labels[i] == 0) {
            b->units[n.at] |= RAG_TRIE_HAS_VALUE;
            b->units[child] = RAG_TRIE_VALUE | b->values[from[i]];
        } else {
            rag_status st;

            b->units[child] = labels[i];
            st = push(b, (node){child, from[i], from[i + 1], n.depth + 1}, err);
            if (st != RAG_OK)
                return st;
        }
    }
    return RAG_OK;
}

static rag_status check_keys(const rag_str *keys, const uint32_t *values,
                             size_t n_keys, rag_error *err)
{
    for (size_t i = 0; i < n_keys; i++) {
        rag_str k = keys[i];

        if (k.len == 0 || k.len > MAX_KEY_BYTES ||
            memchr(k.ptr, 0, k.len) != NULL || values[i] >= RAG_TRIE_VALUE)
            return rag_fail(err, RAG_E_FORMAT,
                            "piece %zu: empty, too long, or holds a NUL", i);
        if (i != 0 && rag_str_cmp(keys[i - 1], k) >= 0)
            return rag_fail(err, RAG_E_FORMAT, "a piece occurs twice");
    }
    return RAG_OK;
}

rag_status rag_trie_build(uint32_t **units, size_t *n_units,
                          const rag_str *keys, const uint32_t *values,
                          size_t n_keys, rag_error *err)
{
    builder b = {.keys = keys, .values = values};
    rag_status st;

    *units = NULL;
    *n_units = 0;
    if (n_keys >= MAX_UNITS)
        return rag_fail(err, RAG_E_LIMIT, "trie: too many pieces");
    TRY(check_keys(keys, values, n_keys, err));
    if (!add_block(&b)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (n_keys != 0)
        TRY(push(&b, (node){0, 0, (uint32_t)n_keys, 0}, err));
    while (b.n_todo != 0)
        TRY(place(&b, b.todo[--b.n_todo], err));
    *units = b.units;
    *n_units = b.n_units;
    b.units = NULL;
out:
    rag_free(b.units);
    rag_free(b.state);
    rag_free(b.next);
    rag_free(b.todo);
    return st;
}

/* BPE: single bytes or characters, the table of merges, and the classes of
 * code points that the patterns ask for. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "nn/classes.h"
#include "nn/tokens_blob.h"
#include "nn/tokens_format.h"
#include "nn/tokens_kinds.h"

/* ---- merges ------------------------------------------------------------ */

/* A list of merges that grows. */
typedef struct merges {
    rag_tokens_merge *all; /* [n] */
    size_t n;
    size_t cap;
} merges;

static bool add_merge(merges *m, rag_tokens_merge one)
{
    if (!rag_mem_grow(&m->all, &m->cap, m->n + 1, sizeof *m->all))
        return false;
    m->all[m->n++] = one;
    return true;
}

static bool from_list(merges *out, const rag_source_tokens *s)
{
    for (uint32_t i = 0; i < s->n_merges; i++) {
        if (rag_tokens_is_piece(s, s->merged[i]) &&
            !add_merge(out, (rag_tokens_merge){s->merges[i][0], s->merges[i][1],
                                               i, s->merged[i]}))
            return false;
    }
    return true;
}

typedef struct scored {
    float score;
    uint32_t id;
} scored;

static int best_first(const void *a, const void *b)
{
    const scored *x = a;
    const scored *y = b;

    return x->score != y->score ? (x->score > y->score ? -1 : 1)
                                : (x->id > y->id) - (x->id < y->id);
}

/* Every piece's rank by its score; equal scores have one rank. */
static bool rank_pieces(uint32_t *rank, const rag_source_tokens *s)
{
    scored *all = rag_calloc(s->n_pieces, sizeof *all);
    uint32_t r = 0;

    if (all == NULL)
        return false;
    for (uint32_t i = 0; i < s->n_pieces; i++)
        all[i] = (scored){s->scores[i], i};
    qsort(all, s->n_pieces, sizeof *all, best_first);
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        if (i != 0 && all[i].score < all[i - 1].score)
            r++;
        rank[all[i].id] = r;
    }
    rag_free(all);
    return true;
}

static bool find_piece(uint32_t *id, const rag_trie *trie, rag_str s)
{
    uint32_t at = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (!rag_trie_step(&at, trie, (uint8_t)s.ptr[i]))
            return false;
    }
    return rag_trie_value(id, trie, at);
}

/* All pairs of pieces that together are a piece: what SentencePiece merges. */
static bool pairs_of(merges *out, const rag_source_tokens *s,
                     const rag_trie *trie, const uint32_t *rank)
{
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        rag_str p = s->pieces[i];

        if (!rag_tokens_is_piece(s, i))
            continue;
        for (size_t at = 1; at < p.len; at++) {
            uint32_t left;
            uint32_t right;

            if (((unsigned char)p.ptr[at] & 0xC0) == 0x80 ||
                !find_piece(&left, trie, rag_str_cut(p, 0, at)) ||
                !find_piece(&right, trie, rag_str_cut(p, at, p.len)))
                continue;
            if (!add_merge(out, (rag_tokens_merge){left, right, rank[i], i}))
                return false;
        }
    }
    return true;
}

/* The trie of all pieces is needed to find the pairs, and not kept. */
static rag_status from_scores(merges *out, const rag_source_tokens *s,
                              rag_error *err)
{
    rag_tokens_entry *all = rag_calloc(s->n_pieces, sizeof *all);
    uint32_t *rank = rag_calloc(s->n_pieces, sizeof *rank);
    rag_tokens_maker scratch = {.source = s};
    rag_buf blob;
    rag_trie trie;
    size_t n = 0;
    rag_status st;

    rag_buf_init(&blob, (size_t)1 << 30);
    scratch.blob = &blob;
    if (all == NULL || rank == NULL || !rank_pieces(rank, s)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        if (rag_tokens_is_piece(s, i))
            all[n++] = (rag_tokens_entry){s->pieces[i], i};
    }
    TRY(rag_tokens_part_trie(&scratch, RAG_TOKENS_TRIE, all, n, err));
    TRY(rag_buf_status(&blob, err));
    trie = (rag_trie){(const void *)blob.ptr,
                      (uint32_t)(blob.len / sizeof(uint32_t))};
    if (!pairs_of(out, s, &trie, rank))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&blob);
    rag_free(all);
    rag_free(rank);
    return st;
}

/* Puts one into the table; of the same pair twice, as the reference reads its
 * list, the later one counts. */
static bool insert(rag_tokens_maker *m, rag_tokens_merge *slots,
                   uint32_t n_slots, rag_tokens_merge one)
{
    uint32_t at = rag_tokens_merge_hash(one.left, one.right);

    for (uint32_t i = 0; i < RAG_TOKENS_MOST_PROBES; i++) {
        rag_tokens_merge *slot = &slots[(at + i) & (n_slots - 1)];

        if (slot->merged == UINT32_MAX ||
            (slot->left == one.left && slot->right == one.right)) {
            *slot = one;
            if (i + 1 > m->head.most_probes)
                m->head.most_probes = i + 1;
            return true;
        }
    }
    return false;
}

static rag_status make_merges(rag_tokens_maker *m, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    merges found = {NULL, 0, 0};
    rag_tokens_merge *slots = NULL;
    uint32_t n_slots = 1;
    rag_status st = RAG_OK;

    if (s->n_merges != 0 || s->scores == NULL) {
        if (!from_list(&found, s))
            st = rag_fail_nomem(err);
    } else {
        st = from_scores(&found, s, err);
    }
    if (st != RAG_OK)
        goto out;
    if (found.n >= UINT32_MAX / 4) {
        st = rag_fail(err, RAG_E_LIMIT, "%zu merges", found.n);
        goto out;
    }
    while (n_slots < 2 * found.n) /* half of them stay empty, or more */
        n_slots *= 2;
    slots = rag_calloc(n_slots, sizeof *slots);
    if (slots == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    memset(slots, 0xFF, n_slots * sizeof *slots);
    m->head.most_probes = 1;
    for (size_t i = 0; i < found.n; i++) {
        if (!insert(m, slots, n_slots, found.all[i])) {
            st = rag_fail(err, RAG_E_LIMIT, "merges that all hash alike");
            goto out;
        }
    }
    /* one more, so that an absent pair is told by an empty slot */
    m->head.most_probes++;
    rag_tokens_part_put(m, RAG_TOKENS_MERGES, slots, n_slots * sizeof *slots);
out:
    rag_free(found.all);
    rag_free(slots);
    return st;
}

/* ---- single bytes and characters --------------------------------------- */

/* GPT-2's letter for a byte: printable ones stand for themselves, the others
 * for the code points from 256 on. */
static uint32_t letter_of(unsigned byte)
{
    uint32_t other = 256;

    for (unsigned b = 0; b < 256; b++) {
        bool itself =
            (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;

        if (b == byte)
            return itself ? b : other;
        other += itself ? 0 : 1;
    }
    return 0;
}

/* "<0x41>" as 0x41; -1: it is no such piece. */
static int byte_of(rag_str p)
{
    int v = 0;

    if (p.len != 6 || !rag_str_starts(p, "<0x") || p.ptr[5] != '>')
        return -1;
    for (size_t i = 3; i < 5; i++) {
        char c = p.ptr[i];

        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (c >= 'A' && c <= 'F')
            v = v * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return v;
}

rag_status rag_tokens_make_bytes(rag_tokens_maker *m, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    int32_t ids[256];

    memset(ids, 0xFF, sizeof ids);
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        int byte = byte_of(s->pieces[i]);

        if (byte >= 0 && s->types[i] == RAG_PIECE_BYTE)
            ids[byte] = (int32_t)i;
    }
    for (size_t i = 0; i < 256; i++) {
        if (ids[i] < 0)
            return rag_fail(err, RAG_E_FORMAT, "no piece <0x%02zX>", i);
    }
    rag_tokens_part_put(m, RAG_TOKENS_BYTES, ids, sizeof ids);
    return RAG_OK;
}

/* The bytes of a piece in GPT-2's letters; false: others are in it. */
static bool raw_piece(rag_buf *out, rag_str piece, const uint32_t *letters)
{
    while (piece.len != 0) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL, piece);
        unsigned byte = 0;

        while (byte < 256 && letters[byte] != cp)
            byte++;
        if (byte == 256)
            return false;
        rag_buf_addc(out, (char)byte);
        piece = rag_str_cut(piece, n, piece.len);
    }
    return true;
}

/* Raw pieces for ignore_merges, and the ids of the single bytes. */
static rag_status byte_pieces(rag_tokens_maker *m, rag_tokens_entry *all,
                              rag_buf *raw, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    uint32_t letters[256];
    int32_t ids[256];
    size_t n = 0;
    size_t at = 0;
    rag_status st;

    memset(ids, 0xFF, sizeof ids);
    for (unsigned b = 0; b < 256; b++)
        letters[b] = letter_of(b);
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        size_t start = raw->len;

        if (!rag_tokens_is_piece(s, i))
            continue;
        if (!raw_piece(raw, s->pieces[i], letters)) {
            rag_buf_trunc(raw, start);
            continue;
        }
        if (raw->len - start == 1)
            ids[(unsigned char)raw->ptr[start]] = (int32_t)i;
        all[n++] = (rag_tokens_entry){rag_str_n(NULL, raw->len - start), i};
    }
    TRY(rag_buf_status(raw, err));
    for (unsigned b = 0; b < 256; b++) {
        if (ids[b] < 0)
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "byte-level BPE without a piece for byte 0x%02X",
                            b);
    }
    rag_tokens_part_put(m, RAG_TOKENS_BYTES, ids, sizeof ids);
    if (!s->ignore_merges)
        return RAG_OK;
    for (size_t i = 0; i < n; i++) { /* the bytes no longer move */
        all[i].piece.ptr = raw->ptr + at;
        at += all[i].piece.len;
    }
    for (size_t i = n; i-- > 0;) { /* with a NUL: left to the merges */
        if (memchr(all[i].piece.ptr, 0, all[i].piece.len) != NULL)
            all[i] = all[--n];
    }
    TRY(rag_tokens_part_trie(m, RAG_TOKENS_TRIE, all, n, err));
out:
    return st;
}

/* SentencePiece: pieces of one character begin the merging. */
static rag_status characters(rag_tokens_maker *m, rag_tokens_entry *all,
                             rag_error *err)
{
    const rag_source_tokens *s = m->source;
    size_t n = 0;

    for (uint32_t i = 0; i < s->n_pieces; i++) {
        rag_str p = s->pieces[i];
        uint32_t cp;
        bool ok;

        if (rag_tokens_is_piece(s, i) && p.ptr[0] != '\0' &&
            rag_utf8_decode(&cp, &ok, p) == p.len && ok)
            all[n++] = (rag_tokens_entry){p, i};
    }
    return rag_tokens_part_trie(m, RAG_TOKENS_TRIE, all, n, err);
}

/* ---- classes ----------------------------------------------------------- */

static bool asks_for_bits(uint32_t splits)
{
    for (uint32_t i = 0; i < RAG_SPLIT_MOST; i++) {
        if (rag_split_at(splits, i) >= RAG_SPLIT_O200K)
            return true;
    }
    return false;
}

/* The bits only where they are asked for: files without stay as they were. */
static rag_status make_classes(rag_tokens_maker *m, rag_error *err)
{
    bool bits = asks_for_bits(m->source->splits);
    uint8_t page_of[RAG_TOKENS_CLASS_PAGES];
    uint8_t page[256];
    size_t n_pages = 0;
    rag_buf pages;
    rag_status st;

    rag_buf_init(&pages, (size_t)256 * 256); /* page numbers are a byte */
    for (uint32_t p = 0; p < RAG_TOKENS_CLASS_PAGES; p++) {
        size_t same = 0;

        for (uint32_t i = 0; i < 256; i++)
            page[i] = (uint8_t)(rag_class_of(p * 256 + i) |
                                (bits ? rag_class_bits(p * 256 + i) : 0));
        while (same < n_pages &&
               memcmp(pages.ptr + same * 256, page, sizeof page) != 0)
            same++;
        if (same == n_pages) {
            rag_buf_add(&pages, page, sizeof page);
            TRY(rag_buf_status(&pages, err));
            n_pages++;
        }
        page_of[p] = (uint8_t)same;
    }
    rag_tokens_part_begin(m, RAG_TOKENS_CLASSES);
    rag_buf_add(m->blob, page_of, sizeof page_of);
    rag_buf_adds(m->blob, rag_buf_str(&pages));
    rag_tokens_part_end(m, RAG_TOKENS_CLASSES);
    st = RAG_OK;
out:
    rag_buf_dispose(&pages);
    return st;
}

rag_status rag_tokens_make_bpe(rag_tokens_maker *m, rag_error *err)
{
    const rag_source_tokens *s = m->source;
    rag_tokens_entry *all = rag_calloc(s->n_pieces, sizeof *all);
    rag_buf raw;
    rag_status st;

    rag_buf_init(&raw, (size_t)1 << 30);
    if (all == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(make_merges(m, err));
    if (s->kind == RAG_TOKENS_BYTE_BPE) {
        TRY(byte_pieces(m, all, &raw, err));
        TRY(make_classes(m, err));
    } else {
        TRY(characters(m, all, err));
        if (s->byte_fallback)
            TRY(rag_tokens_make_bytes(m, err));
    }
out:
    rag_buf_dispose(&raw);
    rag_free(all);
    return st;
}

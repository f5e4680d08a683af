#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "flow/flow_priv.h"

/* Chunks looked at together: enough to fill several requests in flight and the
 * encoder's batches, small enough that their texts are a few MB. */
#define ROUND_CHUNKS ((size_t)1024)
/* one chunk's input is some KB */
#define MAX_INPUT_BYTES ((size_t)64 << 20)

/* Vectors that came so soon after the last commit wait in memory for the next:
 * a commit costs a disk's sync, and no transaction is open while a server is
 * waited for. A killed run loses no more than this. */
#define HOLD_MS 100.0
#define MAX_HELD_BYTES ((size_t)4 << 20)

/* texts [first, first + n) of the round have arrived */
typedef struct held {
    size_t first;
    size_t n;
} held;

typedef struct turn {
    rag *r;
    rag_embedder *e;
    rag_store_space space;
    rag_embed_tally *tally;
    const rag_ingest_watch *watch;
    uint64_t total;
    uint64_t done;
    double began_ms;
    /* this round's chunks that need a vector */
    int64_t ids[ROUND_CHUNKS];
    uint8_t keys[ROUND_CHUNKS * RAG_STORE_KEY_BYTES];
    size_t offsets[ROUND_CHUNKS + 1]; /* of the inputs */
    rag_str texts[ROUND_CHUNKS];
    bool hit[ROUND_CHUNKS];
    bool done_now[ROUND_CHUNKS]; /* its vector arrived */
    size_t n;
    /* chunks of this round with the same input as another one's */
    int64_t twin_ids[ROUND_CHUNKS];
    uint8_t twin_keys[ROUND_CHUNKS * RAG_STORE_KEY_BYTES];
    size_t n_twins;
    uint16_t slots[ROUND_CHUNKS * 2]; /* of texts by key; index + 1 */
    size_t base;                      /* of the texts given to rag_embed() */
    uint64_t n_refused;
    rag_error refused; /* what the server said of the first one */
    rag_buf inputs;
    held held[ROUND_CHUNKS];
    size_t n_held;
    float *vectors; /* of the held ones, one after the other */
    size_t n_floats;
    size_t cap_floats;
    double stored_ms; /* the last commit */
} turn;

static void tell(const turn *o)
{
    rag_ingest_progress p = {"embedding", o->done, o->total,
                             (rag_flow_now_ms() - o->began_ms) / 1e3};

    if (o->watch != NULL && o->watch->progress != NULL)
        o->watch->progress(o->watch->ctx, &p);
}

rag_status rag_flow_input(rag_buf *out, const rag_store_chunk *c,
                          rag_error *err)
{
    rag_buf body;
    rag_status st;
    size_t before = out->len;

    rag_buf_init(&body, MAX_INPUT_BYTES);
    rag_flow_render(out, &body, c);
    if (out->len != before)
        rag_buf_addc(out, '\n');
    rag_buf_adds(out, rag_buf_str(&body));
    TRY(rag_buf_status(&body, err));
    st = rag_buf_status(out, err);
out:
    rag_buf_dispose(&body);
    return st;
}

static rag_status load(turn *o, size_t n, rag_error *err)
{
    rag_sha256 *h = rag_sha256_new();
    const char *fp = rag_embed_fingerprint(o->e);
    rag_status st = RAG_OK;

    if (h == NULL)
        return rag_fail_nomem(err);
    rag_buf_clear(&o->inputs);
    for (size_t i = 0; i < n && st == RAG_OK; i++) {
        rag_store_chunk c;
        rag_arena a;

        rag_arena_init(&a);
        o->offsets[i] = o->inputs.len;
        st = rag_store_chunk_get(&c, &a, o->r->store, o->ids[i], err);
        if (st == RAG_OK)
            st = rag_flow_input(&o->inputs, &c, err);
        if (st == RAG_OK) {
            rag_sha256_add(h, fp, strlen(fp) + 1);
            rag_sha256_add(h, o->inputs.ptr + o->offsets[i],
                           o->inputs.len - o->offsets[i]);
            rag_sha256_end(h, o->keys + i * RAG_STORE_KEY_BYTES);
        }
        rag_arena_dispose(&a);
    }
    o->offsets[n] = o->inputs.len;
    rag_sha256_free(h);
    return st;
}

/* Is the key among o->keys [0, o->n)? If not it is noted as the next one. */
static bool is_twin(turn *o, const uint8_t *key)
{
    size_t mask = ROUND_CHUNKS * 2 - 1;
    uint64_t h;
    size_t slot;

    memcpy(&h, key, sizeof h); /* a SHA-256 needs no more hashing */
    slot = (size_t)h & mask;
    while (o->slots[slot] != 0) {
        if (memcmp(o->keys + (size_t)(o->slots[slot] - 1) * RAG_STORE_KEY_BYTES,
                   key, RAG_STORE_KEY_BYTES) == 0)
            return true;
        slot = (slot + 1) & mask;
    }
    o->slots[slot] = (uint16_t)(o->n + 1);
    return false;
}

/* Leaves those that have no vector yet in o->texts, ids, keys [0, o->n), each
 * input once; the others of the same input in the twins. */
static rag_status reuse(turn *o, size_t n, rag_error *err)
{
    rag_status st = RAG_OK;

    memset(o->hit, 0, sizeof o->hit);
    memset(o->slots, 0, sizeof o->slots);
    memset(o->done_now, 0, sizeof o->done_now);
    o->n_twins = 0;
    if (o->space.id != 0)
        st = rag_store_vectors_reuse(o->hit, o->r->store, o->space.id, o->ids,
                                     o->keys, n, err);
    if (st != RAG_OK)
        return st;
    o->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t key[RAG_STORE_KEY_BYTES];

        if (o->hit[i]) {
            o->tally->n_reused++;
            o->done++;
            continue;
        }
        memcpy(key, o->keys + i * RAG_STORE_KEY_BYTES, sizeof key);
        if (is_twin(o, key)) {
            o->twin_ids[o->n_twins] = o->ids[i];
            memcpy(o->twin_keys + o->n_twins++ * RAG_STORE_KEY_BYTES, key,
                   sizeof key);
            continue;
        }
        o->ids[o->n] = o->ids[i];
        memcpy(o->keys + o->n * RAG_STORE_KEY_BYTES, key, sizeof key);
        o->texts[o->n++] = rag_str_cut(rag_buf_str(&o->inputs), o->offsets[i],
                                       o->offsets[i + 1]);
    }
    return RAG_OK;
}

/* The vectors of the round's twins are there now. */
static rag_status reuse_twins(turn *o, rag_error *err)
{
    rag_status st;

    if (o->n_twins == 0 || o->space.id == 0)
        return RAG_OK;
    memset(o->hit, 0, sizeof o->hit);
    st = rag_store_vectors_reuse(o->hit, o->r->store, o->space.id, o->twin_ids,
                                 o->twin_keys, o->n_twins, err);
    for (size_t i = 0; st == RAG_OK && i < o->n_twins; i++) {
        o->tally->n_reused += o->hit[i];
        o->done += o->hit[i];
    }
    return st;
}

/* Stores what is held. */
static rag_status store_held(turn *o, rag_error *err)
{
    const float *v = o->vectors;
    rag_status st = RAG_OK;

    for (size_t i = 0; i < o->n_held; i++) {
        const held *h = &o->held[i];

        TRY(rag_store_vectors_put(o->r->store, o->space.id, o->ids + h->first,
                                  o->keys + h->first * RAG_STORE_KEY_BYTES, v,
                                  h->n, err));
        o->tally->n_embedded += h->n;
        v += h->n * o->space.dims;
    }
    TRY(rag_store_flush(o->r->store, err));
out:
    o->n_held = 0;
    o->n_floats = 0;
    o->stored_ms = rag_flow_now_ms();
    return st;
}

static rag_status hold(turn *o, size_t first, size_t n, const float *vectors,
                       rag_error *err)
{
    size_t more = n * o->space.dims;

    if (!rag_mem_grow(&o->vectors, &o->cap_floats, o->n_floats + more,
                      sizeof *o->vectors))
        return rag_fail_nomem(err);
    memcpy(o->vectors + o->n_floats, vectors, more * sizeof *vectors);
    o->n_floats += more;
    o->held[o->n_held++] = (held){first, n};
    return RAG_OK;
}

static rag_status arrived(void *ctx, size_t first, size_t n,
                          const float *vectors, size_t dims, rag_error *err)
{
    turn *o = ctx;
    rag_status st = RAG_OK;

    if (n == 0)
        return RAG_OK;
    if (o->space.id == 0)
        TRY(rag_store_space_put(&o->space, o->r->store,
                                rag_str_of(rag_embed_fingerprint(o->e)),
                                rag_str_of(o->r->embed_model), dims, err));
    if (dims != o->space.dims) {
        st = rag_fail(err, RAG_E_FORMAT,
                      "%s sent vectors of %zu numbers, the store has %zu: use "
                      "another store, or 'rag ingest --reembed'",
                      o->r->embed_model, dims, o->space.dims);
        goto out;
    }
    first += o->base;
    TRY(hold(o, first, n, vectors, err));
    memset(o->done_now + first, true, n);
    for (size_t i = 0; i < n; i++)
        o->tally->n_tokens += rag_chunk_tokens(o->texts[first + i]);
    o->done += n;
    /* paid for, so kept; and no transaction is open across the network */
    if (rag_flow_now_ms() - o->stored_ms >= HOLD_MS ||
        o->n_floats * sizeof *o->vectors >= MAX_HELD_BYTES)
        TRY(store_held(o, err));
    tell(o);
out:
    return st;
}

/* Embeds o->texts [base, o->n); what arrived is stored also when it fails.
 * *bad: the text that the server refused, or SIZE_MAX. */
static rag_status embed_rest(size_t *bad, turn *o, rag_error *err)
{
    rag_status st =
        rag_embed_blame(o->e,
                        rag_embed(o->e, o->texts + o->base, o->n - o->base,
                                  RAG_EMBED_PASSAGE, arrived, o, err),
                        err);
    rag_error why = {RAG_OK, ""};
    rag_status st2 = store_held(o, &why);

    *bad = st != RAG_OK ? rag_embed_refused(o->e) : SIZE_MAX;
    if (st2 == RAG_OK || (st != RAG_OK && *bad == SIZE_MAX))
        return st;
    /* worse than one text without a vector */
    *bad = SIZE_MAX;
    *err = why;
    return st2;
}

/* Embeds o->texts [0, o->n). A text that the server refuses stays without a
 * vector, the others go on. */
static rag_status embed_round(turn *o, rag_error *err)
{
    rag_status st = RAG_OK;

    o->base = 0;
    while (o->base < o->n) {
        size_t left = 0;
        size_t bad;
        rag_error why = {RAG_OK, ""};

        st = embed_rest(&bad, o, &why);
        if (st == RAG_OK)
            break;
        if (bad == SIZE_MAX) {
            if (err != NULL)
                *err = why;
            break;
        }
        if (o->n_refused++ == 0)
            o->refused = why;
        o->done_now[o->base + bad] = true; /* no more in this run */
        /* those that did not arrive yet move to the end */
        for (size_t i = o->n; i-- > o->base;) {
            size_t to;

            if (o->done_now[i])
                continue;
            to = o->n - ++left;
            o->ids[to] = o->ids[i];
            o->texts[to] = o->texts[i];
            memmove(o->keys + to * RAG_STORE_KEY_BYTES,
                    o->keys + i * RAG_STORE_KEY_BYTES, RAG_STORE_KEY_BYTES);
        }
        o->base = o->n - left;
        memset(o->done_now + o->base, 0, left);
        st = RAG_OK;
    }
    return st;
}

static rag_status run(turn *o, rag_error *err)
{
    int64_t after = 0;
    rag_status st;

    for (;;) {
        size_t n;

        TRY(rag_store_unembedded(o->ids, &n, ROUND_CHUNKS, o->r->store,
                                 o->space.id, after, err));
        if (n == 0)
            break;
        after = o->ids[n - 1];
        if (rag_flow_cancelled(o->r)) {
            st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
            goto out;
        }
        TRY(load(o, n, err));
        TRY(reuse(o, n, err));
        /* no transaction stays open while a server is waited for */
        TRY(rag_store_flush(o->r->store, err));
        TRY(embed_round(o, err));
        TRY(reuse_twins(o, err));
        tell(o);
    }
    st = RAG_OK;
    if (o->n_refused != 0) {
        if (err != NULL)
            *err = o->refused;
        st = rag_fail_prefix(err, o->refused.code,
                             "%llu texts were refused, all others have vectors",
                             (unsigned long long)o->n_refused);
    }
out:
    return st;
}

rag_status rag_flow_embed_missing(rag_embed_tally *out, rag *r, rag_embedder *e,
                                  bool reembed, const rag_ingest_watch *watch,
                                  rag_error *err)
{
    turn *o = rag_calloc(1, sizeof *o);
    rag_store_space active;
    rag_status st;

    if (o == NULL)
        return rag_fail_nomem(err);
    o->r = r;
    o->e = e;
    o->tally = out;
    o->watch = watch;
    o->began_ms = rag_flow_now_ms();
    rag_buf_init(&o->inputs, (size_t)ROUND_CHUNKS * ((size_t)1 << 20));
    TRY(rag_store_space_active(&active, r->store, err));
    if (active.id != 0 &&
        rag_str_eqz(active.fingerprint, rag_embed_fingerprint(e))) {
        o->space = active;
    } else if (active.id != 0 && reembed && rag_embed_dims(e) != 0) {
        /* an interrupted --reembed goes on where it stopped */
        TRY(rag_store_space_put(
            &o->space, r->store, rag_str_of(rag_embed_fingerprint(e)),
            rag_str_of(r->embed_model), rag_embed_dims(e), err));
    } else if (active.id != 0 && reembed) {
        rag_str probe = RAG_STR_LIT("length");

        /* a remote model says its length with its first reply */
        TRY(rag_embed(e, &probe, 1, RAG_EMBED_PASSAGE, rag_embed_ignore, NULL,
                      err));
        TRY(rag_store_space_put(
            &o->space, r->store, rag_str_of(rag_embed_fingerprint(e)),
            rag_str_of(r->embed_model), rag_embed_dims(e), err));
    }
    TRY(rag_store_unembedded_count(&o->total, r->store, o->space.id, err));
    TRY(run(o, err));
    if (active.id != 0 && o->space.id != 0 && o->space.id != active.id)
        st = rag_store_space_switch(r->store, o->space.id, err);
out:
    rag_buf_dispose(&o->inputs);
    rag_free(o->vectors);
    rag_free(o);
    return st;
}

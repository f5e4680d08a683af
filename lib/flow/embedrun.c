#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "flow/flow_priv.h"

/* Chunks looked at together: enough to fill several requests in flight and the
 * encoder's batches, small enough that their texts are a few MB. */
#define ROUND_CHUNKS ((size_t)1024)
/* one chunk's input is some KB */
#define MAX_INPUT_BYTES ((size_t)64 << 20)

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
    size_t n;
    rag_buf inputs;
} turn;

static void tell(const turn *o)
{
    rag_ingest_progress p = {"embedding", o->done, o->total,
                             (rag_flow_now_ms() - o->began_ms) / 1e3};

    if (o->watch != NULL && o->watch->progress != NULL)
        o->watch->progress(o->watch->ctx, &p);
}

/* Appends the exact model input of a chunk. */
static rag_status add_input(rag_buf *out, rag_store_chunk *c, rag_error *err)
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
            st = add_input(&o->inputs, &c, err);
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

/* Leaves those that have no vector yet in o->texts, ids, keys [0, o->n). */
static rag_status reuse(turn *o, size_t n, rag_error *err)
{
    rag_status st = RAG_OK;

    memset(o->hit, 0, sizeof o->hit);
    if (o->space.id != 0)
        st = rag_store_vectors_reuse(o->hit, o->r->store, o->space.id, o->ids,
                                     o->keys, n, err);
    if (st != RAG_OK)
        return st;
    o->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (o->hit[i]) {
            o->tally->n_reused++;
            o->done++;
            continue;
        }
        o->ids[o->n] = o->ids[i];
        memmove(o->keys + o->n * RAG_STORE_KEY_BYTES,
                o->keys + i * RAG_STORE_KEY_BYTES, RAG_STORE_KEY_BYTES);
        o->texts[o->n++] = rag_str_cut(rag_buf_str(&o->inputs), o->offsets[i],
                                       o->offsets[i + 1]);
    }
    return RAG_OK;
}

static rag_status arrived(void *ctx, size_t first, size_t n,
                          const float *vectors, size_t dims, rag_error *err)
{
    turn *o = ctx;
    rag_status st = RAG_OK;

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
    TRY(rag_store_vectors_put(o->r->store, o->space.id, o->ids + first,
                              o->keys + first * RAG_STORE_KEY_BYTES, vectors, n,
                              err));
    o->tally->n_embedded += n;
    o->done += n;
    tell(o);
out:
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
        if (o->n != 0)
            TRY(rag_embed(o->e, o->texts, o->n, RAG_EMBED_PASSAGE, arrived, o,
                          err));
        tell(o);
    }
    st = RAG_OK;
out:
    return st;
}

static rag_status ignore(void *ctx, size_t first, size_t n,
                         const float *vectors, size_t dims, rag_error *err)
{
    (void)ctx;
    (void)first;
    (void)n;
    (void)vectors;
    (void)dims;
    (void)err;
    return RAG_OK;
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
        TRY(rag_embed(e, &probe, 1, RAG_EMBED_PASSAGE, ignore, NULL, err));
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
    rag_free(o);
    return st;
}

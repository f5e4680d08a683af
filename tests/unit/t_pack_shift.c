/* An import moves constants out of the norms' biases into those behind: no sum
 * of the model changes, nothing but these biases does. */
#include "nn_tiny.h"

#include <math.h>

#include "nn/foreign.h"
#include "nn/kern.h"
#include "nn/pack.h"

static rag_source source;
static rag_pack_parts parts;
static rag_weights packed;

static int open_tiny(void **state)
{
    tiny_places at;
    rag_buf file;
    rag_error err;

    (void)state;
    tiny_make(&file, &at);
    tiny_write(tiny_path("in"), file.ptr, file.len);
    rag_buf_dispose(&file);
    OK(rag_encoder_import(tiny_path("out"), tiny_path("in"), "tiny", &err),
       &err);
    OK(rag_foreign_open(&source, tiny_path("in"), NULL, &err), &err);
    OK(rag_pack_parts_init(&parts, &source, &err), &err);
    OK(rag_weights_open(&packed, tiny_path("out"), &err), &err);
    return 0;
}

static int close_tiny(void **state)
{
    rag_weights_close(&packed);
    rag_pack_parts_dispose(&parts);
    rag_source_close(&source);
    return tiny_cleanup(state);
}

/* y [n_out] = m x, without the bias */
static void times(double *y, const rag_weights_matrix *m, const double *x,
                  size_t n_out, size_t n_in)
{
    for (size_t o = 0; o < n_out; o++) {
        const int8_t *w = m->w + o / RAG_KERN_PANEL * RAG_KERN_PANEL * n_in;

        y[o] = 0.0;
        for (size_t k = 0; k < n_in; k++)
            y[o] += (double)m->scale[o] * x[k] *
                    (double)w[(k / RAG_KERN_QUAD * RAG_KERN_PANEL +
                               o % RAG_KERN_PANEL) *
                                  RAG_KERN_QUAD +
                              k % RAG_KERN_QUAD];
    }
}

/* c = what went out of a norm's bias: sixteenths, and not nothing. */
static void taken(double *c, const float *before, const float *after)
{
    double all = 0.0;

    for (size_t d = 0; d < TINY_HIDDEN; d++) {
        c[d] = (double)before[d] - (double)after[d];
        assert_true(fabs(c[d] * 16.0 - rint(c[d] * 16.0)) < 1e-4);
        all += fabs(c[d]);
    }
    assert_true(all > 0.1);
}

static void same_but(const float *after, const float *before, const double *by,
                     size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)after[i] - (double)before[i] - by[i]) < 1e-5);
}

static void same_weights(const rag_weights_matrix *a,
                         const rag_weights_matrix *b, size_t n_out, size_t n_in)
{
    assert_memory_equal(a->w, b->w, n_out * n_in);
    assert_memory_equal(a->scale, b->scale, n_out * sizeof *a->scale);
    assert_memory_equal(a->sum, b->sum, n_out * sizeof *a->sum);
}

/* One layer as packed, `now`, beside it as it came, `was`; c: what its input
 * lacks. */
static void check_layer(const rag_weights_layer *now,
                        const rag_weights_layer *was, double *c, bool is_last)
{
    const size_t n = TINY_HIDDEN;
    double qkv[3 * TINY_HIDDEN];
    double mix[TINY_HIDDEN];
    double up[TINY_FFN];

    same_weights(&now->qkv, &was->qkv, 3 * n, n);
    same_weights(&now->mix, &was->mix, n, n);
    same_weights(&now->up, &was->up, TINY_FFN, n);
    same_weights(&now->down, &was->down, n, TINY_FFN);
    times(qkv, &was->qkv, c, 3 * n, n);
    times(mix, &was->mix, qkv + 2 * n, n, n);
    same_but(now->qkv.bias, was->qkv.bias, qkv, n);
    assert_memory_equal(now->qkv.bias + n, was->qkv.bias + n,
                        2 * n * sizeof(float));
    for (size_t d = 0; d < n; d++)
        mix[d] += c[d];
    same_but(now->mix.bias, was->mix.bias, mix, n);
    taken(c, was->norm1_b, now->norm1_b);
    times(up, &was->up, c, TINY_FFN, n);
    same_but(now->up.bias, was->up.bias, up, TINY_FFN);
    same_but(now->down.bias, was->down.bias, c, n);
    if (is_last)
        assert_memory_equal(now->norm2_b, was->norm2_b, n * sizeof(float));
    else
        taken(c, was->norm2_b, now->norm2_b);
}

static void test_nothing_is_lost(void **state)
{
    static _Alignas(64) unsigned char layer[64 * 1024];
    float *embed = rag_calloc(1, rag_weights_embed_bytes(packed.head));
    double c[TINY_HIDDEN];
    rag_error err;

    (void)state;
    assert_non_null(embed);
    OK(rag_pack_embed(embed, &parts, packed.head, &err), &err);
    assert_true(rag_weights_layer_bytes(packed.head) <= sizeof layer);
    taken(c, embed + (TINY_WINDOW + 2) * TINY_HIDDEN, packed.norm_b);
    for (uint32_t i = 0; i < TINY_LAYERS; i++) {
        rag_weights raw = {.head = packed.head, .layers = layer};
        rag_weights_layer was = rag_weights_layer_at(&raw, 0);
        rag_weights_layer now = rag_weights_layer_at(&packed, i);

        OK(rag_pack_layer(layer, &parts, packed.head, i, &err), &err);
        check_layer(&now, &was, c, i + 1 == TINY_LAYERS);
    }
    rag_free(embed);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, open_tiny, close_tiny);
}

/* An import moves constants out of the norms' biases into those behind, and
 * factors out of the weights in front of them: no sum of the model changes. */
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

/* y [n_out] = m (x by), without the bias; by == NULL: m x */
static void times(double *y, const rag_weights_matrix *m, const double *x,
                  const float *by, size_t n_out, size_t n_in)
{
    for (size_t o = 0; o < n_out; o++) {
        const int8_t *w = m->w + o / RAG_KERN_PANEL * RAG_KERN_PANEL * n_in;

        y[o] = 0.0;
        for (size_t k = 0; k < n_in; k++)
            y[o] += (double)m->scale[o] * x[k] *
                    (by != NULL ? (double)by[k] : 1.0) *
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
    static const float nothing[TINY_HIDDEN];

    same_weights(&now->qkv, &was->qkv, 3 * n, n);
    same_weights(&now->mix, &was->mix, n, n);
    same_weights(&now->up, &was->up, TINY_FFN, n);
    assert_int_equal(rag_weights_down(packed.head), RAG_WEIGHTS_DOWN);
    for (size_t i = 0; i < RAG_WEIGHTS_DOWN; i++)
        same_weights(&now->down[i], &was->down[i], n,
                     TINY_FFN / RAG_WEIGHTS_DOWN);
    times(qkv, &was->qkv, c, now->qkv_by, 3 * n, n);
    times(mix, &was->mix, qkv + 2 * n, NULL, n, n);
    same_but(now->qkv.bias, was->qkv.bias, qkv, n);
    assert_memory_equal(now->qkv.bias + n, was->qkv.bias + n,
                        2 * n * sizeof(float));
    for (size_t d = 0; d < n; d++)
        mix[d] += c[d];
    same_but(now->mix.bias, was->mix.bias, mix, n);
    taken(c, was->norm1_b, now->norm1_b);
    times(up, &was->up, c, now->up_by, TINY_FFN, n);
    same_but(now->up.bias, was->up.bias, up, TINY_FFN);
    same_but(now->down[0].bias, was->down[0].bias, c, n);
    for (size_t i = 1; i < RAG_WEIGHTS_DOWN; i++)
        assert_memory_equal(now->down[i].bias, nothing, sizeof nothing);
    if (is_last)
        assert_memory_equal(now->norm2_b, was->norm2_b, n * sizeof(float));
    else
        taken(c, was->norm2_b, now->norm2_b);
}

/* Eighths of a power of two from 1 up, and not the same for all. */
static void check_factors(const float *by)
{
    bool differ = false;

    for (size_t d = 0; d < TINY_HIDDEN; d++) {
        int log;
        float part = frexpf(by[d], &log) * 8.0f;

        assert_true(by[d] >= 1.0f && by[d] <= 24.0f);
        assert_float_equal(part, rintf(part), 0.0f);
        differ = differ || by[d] != by[0];
    }
    assert_true(differ);
}

/* Weights times their column's factor are the source's, as near as int8 is. */
static void check_weights(const rag_weights_matrix *m, const float *by,
                          rag_source_part part, uint32_t layer, size_t n_out)
{
    const float *x;
    rag_error err;

    OK(rag_pack_matrix(&x, &parts, part, layer, n_out, TINY_HIDDEN, &err),
       &err);
    for (size_t k = 0; k < TINY_HIDDEN; k++) {
        double one[TINY_HIDDEN] = {0};
        double y[3 * TINY_FFN];

        one[k] = 1.0;
        times(y, m, one, by, n_out, TINY_HIDDEN);
        for (size_t o = 0; o < n_out; o++)
            assert_true(fabs(y[o] - (double)x[o * TINY_HIDDEN + k]) <=
                        0.5001 * (double)m->scale[o] * (double)by[k] + 1e-6);
    }
}

static void test_nothing_is_lost(void **state)
{
    static _Alignas(64) unsigned char layer[64 * 1024];
    const size_t by_bytes = TINY_HIDDEN * sizeof(float);
    float *embed = rag_calloc(1, rag_weights_embed_bytes(packed.head));
    double c[TINY_HIDDEN];
    rag_error err;

    (void)state;
    assert_non_null(embed);
    OK(rag_pack_embed(embed, &parts, packed.head, &err), &err);
    assert_true(rag_weights_layer_bytes(packed.head) <= sizeof layer);
    taken(c, embed + (TINY_WINDOW + 2) * TINY_HIDDEN, packed.norm_b);
    for (uint32_t i = 0; i < TINY_LAYERS; i++) {
        rag_weights_layer was = rag_pack_places(layer, packed.head);
        rag_weights_layer now = rag_weights_layer_at(&packed, i);

        check_factors(now.qkv_by);
        check_factors(now.up_by);
        memcpy(rag_pack_inside(layer, was.qkv_by), now.qkv_by, by_bytes);
        memcpy(rag_pack_inside(layer, was.up_by), now.up_by, by_bytes);
        OK(rag_pack_attention(layer, &parts, packed.head, i, &err), &err);
        OK(rag_pack_forward(layer, &parts, packed.head, i, &err), &err);
        check_layer(&now, &was, c, i + 1 == TINY_LAYERS);
        check_weights(&now.up, now.up_by, RAG_PART_UP_W, i, TINY_FFN);
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

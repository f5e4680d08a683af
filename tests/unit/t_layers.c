/* The last layer works on one row a window where only that is pooled. What
 * comes out must be what all rows give: so each model is compared with itself
 * and one more layer that changes nothing, before which every row counts. */
#include "random_pairs.h"

#include <math.h>

#include "nn/encoder.h"

typedef struct shape {
    random_model m;
    uint32_t global_every; /* ModernBERT: 2 makes its last layer a local one */
} shape;

static const shape shapes[] = {
    {{"bert_cls", RAG_ARCH_BERT, false, RAG_POOL_CLS, RAG_HEAD_NONE, 0,
      RAG_ACT_GELU, false},
     0},
    {{"bert_last", RAG_ARCH_BERT, false, RAG_POOL_LAST, RAG_HEAD_NONE, 0,
      RAG_ACT_GELU, false},
     0},
    {{"bert_score", RAG_ARCH_BERT, false, RAG_POOL_CLS, RAG_HEAD_BERT, 1,
      RAG_ACT_GELU, false},
     0},
    /* the head reads the first row whatever the pooling is */
    {{"bert_labels", RAG_ARCH_BERT, false, RAG_POOL_LAST, RAG_HEAD_BERT, 3,
      RAG_ACT_GELU, false},
     0},
    {{"xlmr_labels", RAG_ARCH_BERT, true, RAG_POOL_MEAN, RAG_HEAD_XLMR, 3,
      RAG_ACT_GELU, false},
     0},
    {{"modernbert_cls", RAG_ARCH_MODERNBERT, false, RAG_POOL_CLS, RAG_HEAD_NONE,
      0, RAG_ACT_GELU, false},
     3},
    {{"modernbert_last", RAG_ARCH_MODERNBERT, false, RAG_POOL_LAST,
      RAG_HEAD_NONE, 0, RAG_ACT_GELU, false},
     3},
    {{"modernbert_local_cls", RAG_ARCH_MODERNBERT, false, RAG_POOL_CLS,
      RAG_HEAD_NONE, 0, RAG_ACT_GELU, false},
     2},
    {{"modernbert_local_last", RAG_ARCH_MODERNBERT, false, RAG_POOL_LAST,
      RAG_HEAD_NONE, 0, RAG_ACT_GELU, false},
     2},
    {{"modernbert_labels", RAG_ARCH_MODERNBERT, false, RAG_POOL_CLS,
      RAG_HEAD_MODERNBERT, 3, RAG_ACT_GELU, false},
     3}};
#define N_SHAPES (sizeof shapes / sizeof shapes[0])

#define MOST_OUT (RANDOM_TEXTS * RANDOM_HIDDEN)

static void fill(rag_source *s, rag_source_part part, uint32_t layer,
                 float value)
{
    rag_source_tensor *t =
        &s->tensors[rag_source_find(s, part, layer) - s->tensors];
    size_t n = (size_t)(t->n_rows * t->n_cols);
    float *x = rag_arena_array(s->arena, n, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    t->bytes = (const unsigned char *)x;
}

/* A layer whose matrices add nothing. Rows that are normalised, as these norms
 * of BERT leave them, stay as they are but for a last bit. */
static void add_layer(rag_source *s)
{
    uint32_t last = s->n_layers - 1;
    size_t n = s->n_tensors;

    for (size_t i = 0; i < n; i++) {
        rag_source_tensor t = s->tensors[i];

        if (t.part >= RAG_PART_Q_W && t.part <= RAG_PART_NORM2_B &&
            t.layer == last)
            random_add(s, t.part, last + 1, t.n_rows, t.n_cols);
    }
    s->n_layers++;
    fill(s, RAG_PART_MIX_W, last + 1, 0.0f);
    fill(s, RAG_PART_DOWN_W, last + 1, 0.0f);
    if (s->arch == RAG_ARCH_MODERNBERT)
        return;
    fill(s, RAG_PART_MIX_B, last + 1, 0.0f);
    fill(s, RAG_PART_DOWN_B, last + 1, 0.0f);
    fill(s, RAG_PART_NORM1_W, last + 1, 1.0f);
    fill(s, RAG_PART_NORM1_B, last + 1, 0.0f);
    fill(s, RAG_PART_NORM2_W, last + 1, 1.0f);
    fill(s, RAG_PART_NORM2_B, last + 1, 0.0f);
}

static rag_encoder *open_shape(const shape *p, bool one_more)
{
    rag_encoder *e;
    rag_source s;
    rag_error err;

    random_source(&s, &p->m);
    if (p->m.arch == RAG_ARCH_MODERNBERT) {
        s.global_every = p->global_every;
    } else {
        fill(&s, RAG_PART_NORM2_W, s.n_layers - 1, 1.0f);
        fill(&s, RAG_PART_NORM2_B, s.n_layers - 1, 0.0f);
    }
    if (one_more)
        add_layer(&s);
    OK(rag_pack(tiny_path("out"), &s, p->m.name, &err), &err);
    rag_source_close(&s);
    OK(rag_encoder_open(&e, tiny_path("out"), 1, &err), &err);
    return e;
}

/* The texts (or pairs) from the i-th on. */
static void run(float *out, rag_encoder *e, size_t i, size_t n)
{
    rag_error err;

    if (rag_encoder_about(e)->is_cross)
        OK(rag_encoder_labels(out, e, first + i, second + i, n, NULL, NULL,
                              &err),
           &err);
    else
        OK(rag_encoder_run(out, e, first + i, n, NULL, NULL, &err), &err);
}

static void test_all_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SHAPES; i++) {
        const random_model *m = &shapes[i].m;
        size_t n_out =
            m->head == RAG_HEAD_NONE ? RANDOM_HIDDEN : (size_t)m->n_labels;
        size_t n = RANDOM_TEXTS * n_out;
        rag_encoder *short_one = open_shape(&shapes[i], false);
        rag_encoder *long_one;
        float got[MOST_OUT];
        float want[MOST_OUT];

        run(got, short_one, 0, RANDOM_TEXTS);
        long_one = open_shape(&shapes[i], true);
        run(want, long_one, 0, RANDOM_TEXTS);
        for (size_t k = 0; k < n; k++) {
            if (!(fabsf(got[k] - want[k]) <= 1e-5f))
                fail_msg("%s: text %zu, number %zu: %g, of all rows %g",
                         m->name, k / n_out, k % n_out, (double)got[k],
                         (double)want[k]);
        }
        if (m->arch == RAG_ARCH_MODERNBERT)
            assert_memory_equal(got, want, n * sizeof *got);
        rag_encoder_close(short_one);
        rag_encoder_close(long_one);
    }
}

static void test_alone_and_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SHAPES; i++) {
        const random_model *m = &shapes[i].m;
        size_t n_out =
            m->head == RAG_HEAD_NONE ? RANDOM_HIDDEN : (size_t)m->n_labels;
        rag_encoder *e = open_shape(&shapes[i], false);
        float all[MOST_OUT];
        float some[MOST_OUT];

        run(all, e, 0, RANDOM_TEXTS);
        for (size_t from = 0; from < RANDOM_TEXTS; from++) {
            size_t left = RANDOM_TEXTS - from;

            for (size_t n = 1; n <= left; n += left > 2 ? left - 2 : 1) {
                run(some, e, from, n);
                assert_memory_equal(some, all + from * n_out,
                                    n * n_out * sizeof *all);
            }
        }
        rag_encoder_close(e);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_rows),
        cmocka_unit_test(test_alone_and_together),
    };

    return cmocka_run_group_tests(tests, random_pairs, NULL);
}

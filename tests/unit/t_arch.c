/* Every architecture and head on small random models, against what the
 * reference implementation gives (tests/nn/make_random.py); and the properties
 * that hold for each. */
#include "random_pairs.h"

#include <math.h>

#include "nn/cpu.h"
#include "nn/encoder.h"

static const random_model models[] = {
    {"bert_mean", RAG_ARCH_BERT, false, RAG_POOL_MEAN, RAG_HEAD_NONE, 0,
     RAG_ACT_GELU, false},
    {"bert_cls", RAG_ARCH_BERT, false, RAG_POOL_CLS, RAG_HEAD_NONE, 0,
     RAG_ACT_GELU, false},
    {"xlmr_mean", RAG_ARCH_BERT, true, RAG_POOL_MEAN, RAG_HEAD_NONE, 0,
     RAG_ACT_GELU, false},
    {"modernbert_mean", RAG_ARCH_MODERNBERT, false, RAG_POOL_MEAN,
     RAG_HEAD_NONE, 0, RAG_ACT_GELU, false},
    {"modernbert_cls", RAG_ARCH_MODERNBERT, false, RAG_POOL_CLS, RAG_HEAD_NONE,
     0, RAG_ACT_GELU, false},
    {"modernbert_last", RAG_ARCH_MODERNBERT, false, RAG_POOL_LAST,
     RAG_HEAD_NONE, 0, RAG_ACT_GELU, false},
    {"bert_score", RAG_ARCH_BERT, false, RAG_POOL_CLS, RAG_HEAD_BERT, 1,
     RAG_ACT_GELU, false},
    {"xlmr_score", RAG_ARCH_BERT, true, RAG_POOL_CLS, RAG_HEAD_XLMR, 1,
     RAG_ACT_GELU, false},
    {"xlmr_labels", RAG_ARCH_BERT, true, RAG_POOL_CLS, RAG_HEAD_XLMR, 3,
     RAG_ACT_GELU, false},
    {"modernbert_score", RAG_ARCH_MODERNBERT, false, RAG_POOL_CLS,
     RAG_HEAD_MODERNBERT, 1, RAG_ACT_GELU, false},
    {"modernbert_labels", RAG_ARCH_MODERNBERT, false, RAG_POOL_MEAN,
     RAG_HEAD_MODERNBERT, 3, RAG_ACT_GELU, false},
    {"modernbert_silu", RAG_ARCH_MODERNBERT, false, RAG_POOL_MEAN,
     RAG_HEAD_NONE, 0, RAG_ACT_SILU, false},
    {"modernbert_tanh", RAG_ARCH_MODERNBERT, false, RAG_POOL_MEAN,
     RAG_HEAD_NONE, 0, RAG_ACT_TANH_GELU, false},
    {"bert_silu", RAG_ARCH_BERT, false, RAG_POOL_MAX, RAG_HEAD_NONE, 0,
     RAG_ACT_SILU, false},
    {"bert_tanh", RAG_ARCH_BERT, false, RAG_POOL_WEIGHTED, RAG_HEAD_NONE, 0,
     RAG_ACT_TANH_GELU, false},
    {"bert_relu", RAG_ARCH_BERT, false, RAG_POOL_MEAN, RAG_HEAD_NONE, 0,
     RAG_ACT_RELU, false},
    {"distil_mean", RAG_ARCH_BERT, false, RAG_POOL_MEAN, RAG_HEAD_NONE, 0,
     RAG_ACT_GELU, true}};
#define N_MODELS (sizeof models / sizeof models[0])

static rag_encoder *open_model(const random_model *m, size_t n_threads)
{
    rag_encoder *e;
    rag_source s;
    rag_error err;

    random_source(&s, m);
    OK(rag_pack(tiny_path("out"), &s, m->name, &err), &err);
    rag_source_close(&s);
    OK(rag_encoder_verify(tiny_path("out"), &err), &err);
    OK(rag_encoder_open(&e, tiny_path("out"), n_threads, &err), &err);
    return e;
}

static void read_results(float *to, const char *name, size_t n)
{
    char path[512];
    rag_error err;
    rag_buf b;

    rag_buf_init(&b, 1 << 20);
    (void)snprintf(path, sizeof path, "%s/nn/random/%s.f32", RAG_TEST_DATA,
                   name);
    OK(rag_file_read(&b, path, 1 << 20, &err), &err);
    assert_int_equal(b.len, n * sizeof *to);
    memcpy(to, b.ptr, b.len);
    rag_buf_dispose(&b);
}

static void check_vectors(rag_encoder *e, const char *name)
{
    float v[RANDOM_TEXTS * RANDOM_HIDDEN];
    float alone[RANDOM_HIDDEN];
    float want[RANDOM_TEXTS * RANDOM_HIDDEN];
    double least = 1.0;
    rag_error err;

    read_results(want, name, RANDOM_TEXTS * RANDOM_HIDDEN);
    OK(rag_encoder_run(v, e, first, RANDOM_TEXTS, NULL, NULL, &err), &err);
    for (size_t i = 0; i < RANDOM_TEXTS; i++) {
        double dot = 0.0;

        for (size_t d = 0; d < RANDOM_HIDDEN; d++)
            dot += (double)v[i * RANDOM_HIDDEN + d] *
                   (double)want[i * RANDOM_HIDDEN + d];
        least = fmin(least, dot);
        OK(rag_encoder_run(alone, e, &first[i], 1, NULL, NULL, &err), &err);
        assert_memory_equal(alone, v + i * RANDOM_HIDDEN, sizeof alone);
    }
    print_message("%s: least cosine to fp32 %.5f\n", name, least);
    assert_true(least >= 0.998);
    assert_int_equal(
        rag_encoder_labels(v, e, first, second, 1, NULL, NULL, &err),
        RAG_E_INVAL);
    assert_int_equal(
        rag_encoder_score(v, e, first[0], second, 1, NULL, NULL, &err),
        RAG_E_INVAL);
}

static void check_logits(rag_encoder *e, const random_model *m)
{
    size_t n = RANDOM_TEXTS * m->n_labels;
    float got[RANDOM_TEXTS * 3];
    float alone[3];
    float want[RANDOM_TEXTS * 3];
    double most = 0.0;
    rag_error err;

    read_results(want, m->name, n);
    OK(rag_encoder_labels(got, e, first, second, RANDOM_TEXTS, NULL, NULL,
                          &err),
       &err);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)got[i] - (double)want[i]));
    print_message("%s: greatest difference of a logit %.4f\n", m->name, most);
    assert_true(most < 0.05);
    for (size_t i = 0; i < RANDOM_TEXTS; i++) {
        OK(rag_encoder_labels(alone, e, &first[i], &second[i], 1, NULL, NULL,
                              &err),
           &err);
        assert_memory_equal(alone, got + i * m->n_labels,
                            m->n_labels * sizeof *alone);
    }
    if (m->n_labels != 1) {
        assert_int_equal(
            rag_encoder_score(got, e, first[3], second, 1, NULL, NULL, &err),
            RAG_E_INVAL);
    } else {
        OK(rag_encoder_score(alone, e, first[3], &second[3], 1, NULL, NULL,
                             &err),
           &err);
        assert_float_equal(alone[0], 1.0f / (1.0f + expf(-got[3])), 1e-6f);
    }
    assert_int_equal(rag_encoder_run(got, e, first, 1, NULL, NULL, &err),
                     RAG_E_INVAL);
}

static void test_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        rag_encoder *e = open_model(&models[i], 2);
        const rag_encoder_info *info = rag_encoder_about(e);

        assert_string_equal(info->name, models[i].name);
        assert_int_equal(info->n_labels, models[i].n_labels);
        assert_int_equal(info->is_cross, models[i].head != RAG_HEAD_NONE);
        if (models[i].head == RAG_HEAD_NONE)
            check_vectors(e, models[i].name);
        else
            check_logits(e, &models[i]);
        rag_encoder_close(e);
    }
}

/* The same model in its other spellings gives the same file. */
static void transpose_all(rag_source *s)
{
    for (size_t i = 0; i < s->n_tensors; i++) {
        rag_source_tensor *t = &s->tensors[i];
        const float *x = (const void *)t->bytes;
        float *y;

        if (t->n_rows == 1 || t->part <= RAG_PART_TYPES)
            continue;
        y = rag_arena_array(s->arena, t->n_rows * t->n_cols, sizeof *y);
        assert_non_null(y);
        for (size_t r = 0; r < t->n_rows; r++) {
            for (size_t c = 0; c < t->n_cols; c++)
                y[c * t->n_rows + r] = x[r * t->n_cols + c];
        }
        *t = (rag_source_tensor){.part = t->part,
                                 .layer = t->layer,
                                 .transposed = true,
                                 .type = RAG_DTYPE_F32,
                                 .n_rows = t->n_cols,
                                 .n_cols = t->n_rows,
                                 .bytes = (const unsigned char *)y};
    }
}

/* Queries, keys and values of each layer into one tensor. */
static void fuse_all(rag_source *s)
{
    static const rag_source_part of[2][3] = {
        {RAG_PART_Q_W, RAG_PART_K_W, RAG_PART_V_W},
        {RAG_PART_Q_B, RAG_PART_K_B, RAG_PART_V_B}};

    for (uint32_t l = 0; l < s->n_layers; l++) {
        for (size_t b = 0; b < 2; b++) {
            size_t n = b == 0 ? RANDOM_HIDDEN * RANDOM_HIDDEN : RANDOM_HIDDEN;
            float *y = rag_arena_array(s->arena, 3 * n, sizeof *y);

            assert_non_null(y);
            for (size_t i = 0; i < 3; i++) {
                size_t at =
                    (size_t)(rag_source_find(s, of[b][i], l) - s->tensors);

                memcpy(y + i * n, s->tensors[at].bytes, n * sizeof *y);
                s->tensors[at] = s->tensors[--s->n_tensors];
            }
            s->tensors[s->n_tensors++] = (rag_source_tensor){
                .part = b == 0 ? RAG_PART_QKV_W : RAG_PART_QKV_B,
                .layer = l,
                .type = RAG_DTYPE_F32,
                .n_rows = b == 0 ? 3 * RANDOM_HIDDEN : 1,
                .n_cols = b == 0 ? RANDOM_HIDDEN : 3 * RANDOM_HIDDEN,
                .bytes = (const unsigned char *)y};
        }
    }
}

static rag_buf pack_bytes(const rag_source *s)
{
    rag_error err;
    rag_buf b;

    OK(rag_pack(tiny_path("out"), s, "x", &err), &err);
    rag_buf_init(&b, 1 << 22);
    OK(rag_file_read(&b, tiny_path("out"), 1 << 22, &err), &err);
    return b;
}

static void test_spellings(void **state)
{
    rag_buf files[3];
    rag_source s;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        random_source(&s, &models[6]);
        if (i == 1)
            transpose_all(&s);
        if (i == 2)
            fuse_all(&s);
        files[i] = pack_bytes(&s);
        rag_source_close(&s);
    }
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(files[i].len, files[0].len);
        assert_memory_equal(files[i].ptr, files[0].ptr, files[0].len);
    }
    for (size_t i = 0; i < 3; i++)
        rag_buf_dispose(&files[i]);
}

/* int8 with scales, a row each or one for all, and zero points. Where 7 bits
 * are used, as ONNX Runtime's quantiser does, nothing is rounded again. */
static void test_int8_source(void **state)
{
    enum { N = 64 * 64 };
    static int8_t q[N];
    static float scales[64];
    static int32_t zeros[64];
    rag_weights w;
    rag_source s;
    rag_source_tensor *t;
    rag_error err;

    (void)state;
    for (size_t turn = 0; turn < 8; turn++) {
        bool each = turn % 2 == 0;
        bool turned = turn / 2 % 2 != 0;
        int range = turn < 4 ? 127 : 64;
        rag_weights_layer l;

        random_source(&s, &models[0]);
        t = &s.tensors[rag_source_find(&s, RAG_PART_MIX_W, 1) - s.tensors];
        for (size_t o = 0; o < 64; o++) {
            scales[o] = 0.001f * (float)(1 + o);
            zeros[o] = (int32_t)(o % 5) - 2;
            for (size_t k = 0; k < 64; k++)
                q[turned ? k * 64 + o : o * 64 + k] =
                    (int8_t)((int)(random_mix((uint32_t)o, (uint32_t)k) %
                                   (uint32_t)(2 * range + 1)) -
                             range);
        }
        t->type = RAG_DTYPE_I8;
        t->transposed = turned;
        t->bytes = (const unsigned char *)q;
        t->scales = scales;
        t->zeros = zeros;
        t->n_scales = each ? 64 : 1;
        OK(rag_pack(tiny_path("out"), &s, "x", &err), &err);
        t->n_scales = 3;
        assert_int_equal(rag_pack(tiny_path("cut"), &s, "x", &err),
                         RAG_E_FORMAT);
        rag_source_close(&s);
        OK(rag_weights_open(&w, tiny_path("out"), &err), &err);
        l = rag_weights_layer_at(&w, 1);
        for (size_t o = 0; o < 64; o++) {
            for (size_t k = 0; k < 64; k++) {
                int8_t from = q[turned ? k * 64 + o : o * 64 + k];
                int8_t got =
                    l.mix
                        .w[o / 32 * 32 * 64 + k / 4 * 128 + o % 32 * 4 + k % 4];

                assert_float_equal(
                    (float)got * l.mix.scale[o],
                    (float)(from - zeros[each ? o : 0]) * scales[each ? o : 0],
                    (range < 127 ? 1e-3f : 0.501f) * l.mix.scale[o]);
            }
        }
        rag_weights_close(&w);
    }
}

static void refuse(rag_source *s, const char *what)
{
    rag_error err;
    rag_status st = rag_pack(tiny_path("cut"), s, "x", &err);

    if (st != RAG_E_FORMAT || strstr(err.msg, what) == NULL)
        fail_msg("want \"%s\": %s: %s", what, rag_status_name(st), err.msg);
    rag_source_close(s);
}

static rag_source_tensor *part_of(rag_source *s, rag_source_part p,
                                  uint32_t layer)
{
    return &s->tensors[rag_source_find(s, p, layer) - s->tensors];
}

static void test_wrong_sources(void **state)
{
    static const float bad[RANDOM_HIDDEN] = {1.0f, NAN};
    rag_source s;

    (void)state;
    /* every part left out: biases are zero then, the rest is missed by name */
    for (size_t m = 0; m < N_MODELS; m += 3) {
        random_source(&s, &models[m]);
        for (size_t i = s.n_tensors; i-- != 0;) {
            rag_source_part p = s.tensors[i].part;
            bool may = s.tensors[i].n_rows == 1 && p != RAG_PART_HEAD_OUT_W &&
                       !random_is_norm(p);
            rag_source_tensor keep = s.tensors[i];
            rag_error err;
            rag_status st;

            may = may || p == RAG_PART_TYPES;
            s.tensors[i] = s.tensors[s.n_tensors - 1];
            s.n_tensors--;
            st = rag_pack(tiny_path("cut"), &s, "x", &err);
            if (st != (may ? RAG_OK : RAG_E_FORMAT) ||
                (!may && strstr(err.msg, "no ") == NULL))
                fail_msg("%s without part %d: %s", models[m].name, (int)p,
                         rag_status_name(st));
            s.n_tensors++;
            s.tensors[i] = keep;
        }
        rag_source_close(&s);
    }
    random_source(&s, &models[0]);
    part_of(&s, RAG_PART_UP_W, 1)->layer = 7;
    refuse(&s, "layer 1: no feed-forward input weights");
    random_source(&s, &models[0]);
    s.tensors[s.n_tensors] = s.tensors[4];
    s.n_tensors++;
    refuse(&s, "embedding norm bias: twice");
    random_source(&s, &models[0]);
    random_add(&s, RAG_PART_FINAL_NORM_W, 0, 1, RANDOM_HIDDEN);
    refuse(&s, "final norm weights: twice, or not of this architecture");
    random_source(&s, &models[3]);
    random_add(&s, RAG_PART_NORM1_W, 0, 1, RANDOM_HIDDEN);
    refuse(&s, "layer 0: attention norm weights");
    random_source(&s, &models[0]);
    part_of(&s, RAG_PART_DOWN_W, 0)->n_cols = 64;
    refuse(&s, "feed-forward output weights: 64 x 64");
    random_source(&s, &models[0]);
    part_of(&s, RAG_PART_NORM2_W, 1)->bytes = (const unsigned char *)bad;
    refuse(&s, "layer 1: feed-forward norm weights: not a number");
    random_source(&s, &models[0]);
    s.window = RANDOM_WINDOW + 1;
    refuse(&s, "position embeddings: 128 rows");
    random_source(&s, &models[3]);
    s.n_heads = 4; /* heads of 16 cannot be turned in whole lanes */
    refuse(&s, "heads of length 16");
    random_source(&s, &models[3]);
    s.rope_local = INFINITY;
    refuse(&s, "rope base");
    random_source(&s, &models[6]);
    s.n_labels = 0;
    refuse(&s, "a head of kind 1 with 0 labels");
    random_source(&s, &models[0]);
    s.tokens.n_pieces = RANDOM_VOCAB - 1;
    s.tokens.eos = RANDOM_VOCAB - 1;
    refuse(&s, "special tokens");
}

static rag_status pack_and_close(void)
{
    rag_source s;
    rag_status st;

    random_source(&s, &models[10]);
    st = rag_pack(tiny_path("cut"), &s, "x", NULL);
    rag_source_close(&s);
    return st;
}

/* Making the source is no part of what may fail. */
static void test_oom(void **state)
{
    rag_source s;
    rag_encoder *e;
    float logits[3 * RANDOM_TEXTS];
    rag_error err;

    (void)state;
    OK(pack_and_close(), &err);
    random_source(&s, &models[10]);
    CHECK_OOM(rag_pack(tiny_path("cut"), &s, "x", NULL));
    rag_source_close(&s);
    random_source(&s, &models[1]);
    transpose_all(&s);
    CHECK_OOM(rag_pack(tiny_path("cut"), &s, "x", NULL));
    rag_source_close(&s);
    e = open_model(&models[10], 1);
    rag_encoder_close(e);
    for (size_t k = 1;; k++) { /* memory that stays for the next call is none
                                  of CHECK_OOM's: a fresh encoder each time */
        rag_status st;

        OK(rag_encoder_open(&e, tiny_path("out"), 1, &err), &err);
        rag_mem_fail_at(k);
        st = rag_encoder_labels(logits, e, first, second, RANDOM_TEXTS, NULL,
                                NULL, NULL);
        rag_mem_fail_at(0);
        rag_encoder_close(e);
        if (st == RAG_OK)
            break;
        assert_int_equal(st, RAG_E_NOMEM);
    }
}

/* What comes out for the first n texts (or pairs). */
static rag_status run_any(float *out, rag_encoder *e, size_t n, rag_error *err)
{
    if (rag_encoder_about(e)->is_cross)
        return rag_encoder_labels(out, e, first, second, n, NULL, NULL, err);
    return rag_encoder_run(out, e, first, n, NULL, NULL, err);
}

static void test_tiers_agree(void **state)
{
    const char *given = getenv("RAG_CPU");
    char *before = given != NULL ? rag_strdup(given) : NULL;
    static float want[RANDOM_TEXTS * RANDOM_HIDDEN];
    static float out[RANDOM_TEXTS * RANDOM_HIDDEN];
    rag_error err;

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        memset(out, 0, sizeof out);
        for (rag_cpu_tier t = RAG_CPU_SCALAR; t <= rag_cpu_best(); t++) {
            rag_encoder *e;

            assert_int_equal(setenv("RAG_CPU", rag_cpu_name(t), 1), 0);
            e = open_model(&models[i], 1);
            OK(run_any(out, e, RANDOM_TEXTS, &err), &err);
            if (t == RAG_CPU_SCALAR)
                memcpy(want, out, sizeof want);
            assert_memory_equal(out, want, sizeof want);
            rag_encoder_close(e);
        }
    }
    if (before != NULL)
        assert_int_equal(setenv("RAG_CPU", before, 1), 0);
    else
        assert_int_equal(unsetenv("RAG_CPU"), 0);
    rag_free(before);
}

/* ---- damaged files ----------------------------------------------------- */

/* Opens and uses it: a clear error or finite numbers. */
static void use(size_t where)
{
    float out[RANDOM_TEXTS * RANDOM_HIDDEN] = {0};
    rag_encoder *e;
    rag_error err;
    rag_status st = rag_encoder_open(&e, tiny_path("cut"), 1, &err);

    if (st == RAG_OK && rag_encoder_about(e)->dims == RANDOM_HIDDEN &&
        rag_encoder_about(e)->n_labels <= 3) {
        st = run_any(out, e, 5, &err);
        for (size_t i = 0; st == RAG_OK && i < RANDOM_TEXTS * RANDOM_HIDDEN;
             i++)
            assert_true(isfinite(out[i]));
    }
    rag_encoder_close(e);
    if (st != RAG_OK && st != RAG_E_CORRUPT)
        fail_msg("byte %zu: %s", where, rag_status_name(st));
}

static rag_buf file_of(const random_model *m)
{
    rag_source s;
    rag_buf b;

    random_source(&s, m);
    b = pack_bytes(&s);
    rag_source_close(&s);
    return b;
}

static const size_t damaged[] = {0, 3, 6, 10}; /* of each kind one */

static void test_flipped(void **state)
{
    uint32_t seed = 3;

    (void)state;
    for (size_t m = 0; m < sizeof damaged / sizeof damaged[0]; m++) {
        rag_buf b = file_of(&models[damaged[m]]);

        for (size_t i = 0; i < 120; i++) {
            size_t place =
                i < 84 ? 88 + i : 4096 + tiny_random(&seed) % (b.len - 4096);
            char old = tiny_damage(&b, place, i);

            use(place);
            b.ptr[place] = old;
        }
        rag_buf_dispose(&b);
    }
}

static void test_not_a_number(void **state)
{
    static const uint32_t bits[] = {0x7FC00000, 0x7F800000, 0xFF7FFFFF};
    static const rag_weights_kind kinds[] = {
        RAG_WEIGHTS_LAYERS, RAG_WEIGHTS_EMBED, RAG_WEIGHTS_HEAD,
        RAG_WEIGHTS_VOCAB};

    (void)state;
    for (size_t m = 0; m < sizeof damaged / sizeof damaged[0]; m++) {
        rag_buf b = file_of(&models[damaged[m]]);
        rag_weights_section all[RAG_WEIGHTS_SECTIONS];

        memcpy(all, b.ptr + sizeof(rag_weights_head), sizeof all);
        for (size_t k = 0; k < 4; k++) {
            const rag_weights_section *s = &all[kinds[k] - 1];
            /* of the vocabulary's rows the scales */
            size_t from = kinds[k] == RAG_WEIGHTS_VOCAB ? RANDOM_HIDDEN : 0;
            size_t step = kinds[k] == RAG_WEIGHTS_VOCAB
                              ? 20 * (RANDOM_HIDDEN + 4)
                              : (s->n_bytes / 24 / 4 * 4 + 4);

            for (size_t o = from; o + 4 <= s->n_bytes; o += step) {
                char *p = b.ptr + s->offset + o;
                uint32_t old;

                memcpy(&old, p, 4);
                memcpy(p, &bits[o / 4 % 3], 4);
                tiny_write(tiny_path("cut"), b.ptr, b.len);
                use(o);
                memcpy(p, &old, 4);
            }
        }
        rag_buf_dispose(&b);
    }
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof damaged / sizeof damaged[0]; m++) {
        rag_buf b = file_of(&models[damaged[m]]);
        rag_weights_section s[RAG_WEIGHTS_SECTIONS];

        memcpy(s, b.ptr + sizeof(rag_weights_head), sizeof s);
        for (size_t k = 0; k <= 6 * RAG_WEIGHTS_SECTIONS; k++) {
            const rag_weights_section *at = &s[k / 6 % RAG_WEIGHTS_SECTIONS];
            size_t n = (size_t)(at->offset + (k % 6 >= 3 ? at->n_bytes : 0));
            rag_encoder_info info;
            rag_error err;

            n = n + k % 3 - 1; /* one byte less, the edge, one more */
            if (n >= b.len)
                continue;
            tiny_write(tiny_path("cut"), b.ptr, n);
            assert_int_equal(rag_encoder_peek(&info, tiny_path("cut"), &err),
                             RAG_E_CORRUPT);
            /* the length in the header, too: now the section is too short */
            memcpy(b.ptr + offsetof(rag_weights_head, file_bytes),
                   &(uint64_t){n}, 8);
            tiny_write(tiny_path("cut"), b.ptr, n);
            assert_int_equal(rag_encoder_peek(&info, tiny_path("cut"), &err),
                             RAG_E_CORRUPT);
            memcpy(b.ptr + offsetof(rag_weights_head, file_bytes),
                   &(uint64_t){b.len}, 8);
        }
        rag_buf_dispose(&b);
    }
}

/* Windows of a long text, and pairs over the window, in every form. */
static void test_long(void **state)
{
    static char big[3 * 5000];
    float v[RANDOM_HIDDEN];
    float logits[3];
    rag_str text = rag_str_n(big, sizeof big);
    rag_error err;

    (void)state;
    for (unsigned k = 0; k < sizeof big / 3; k++)
        random_char(big + 3 * k, RANDOM_FIRST + random_mix(1, k) % 195);
    for (size_t i = 0; i < N_MODELS; i++) {
        rag_encoder *e = open_model(&models[i], 2);

        if (models[i].head == RAG_HEAD_NONE) {
            double square = 0.0;

            OK(rag_encoder_run(v, e, &text, 1, NULL, NULL, &err), &err);
            for (size_t d = 0; d < RANDOM_HIDDEN; d++)
                square += (double)v[d] * (double)v[d];
            assert_true(fabs(square - 1.0) < 1e-5);
        } else {
            OK(rag_encoder_labels(logits, e, &text, &text, 1, NULL, NULL, &err),
               &err);
            OK(rag_encoder_labels(logits, e, &text, &first[0], 1, NULL, NULL,
                                  &err),
               &err);
            assert_true(isfinite(logits[0]));
        }
        rag_encoder_close(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),     cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_int8_source),   cmocka_unit_test(test_long),
        cmocka_unit_test(test_wrong_sources), cmocka_unit_test(test_oom),
        cmocka_unit_test(test_tiers_agree),   cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_not_a_number),  cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, random_pairs, tiny_cleanup);
}

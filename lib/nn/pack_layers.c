/* What the sections of numbers hold: layers, embedding, head. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/kern.h"
#include "nn/pack.h"

/* Where the rows of a matrix go. */
typedef struct target {
    int8_t *w;
    float *scale; /* [n_out] */
    float *sum;   /* [n_out] */
    float *bias;  /* [n_out] */
    size_t n_in;
    size_t stride;   /* from row to row of where it comes from */
    const float *by; /* [n_in] what its inputs are multiplied by, or NULL */
} target;

/* The matrix m of the layer. */
static target target_of(unsigned char *layer, const rag_weights_matrix *m,
                        size_t n_in, const float *by)
{
    return (target){(int8_t *)rag_pack_inside(layer, m->w),
                    rag_pack_inside(layer, m->scale),
                    rag_pack_inside(layer, m->sum),
                    rag_pack_inside(layer, m->bias),
                    n_in,
                    n_in,
                    by};
}

static float weight_at(const target *m, const float *x, size_t k)
{
    return m->by != NULL ? x[k] / m->by[k] : x[k];
}

/* Rounds x [n_in] to int8 by its greatest magnitude as row o, times factor.
 * Multiples of `step` (0: none is known) that fit into int8 stay as they are:
 * quantisers that use 7 bits of 8 would be rounded a second time. */
static void put_row(target *m, size_t o, const float *x, float factor,
                    float step)
{
    int8_t *panel = m->w + o / RAG_KERN_PANEL * RAG_KERN_PANEL * m->n_in +
                    o % RAG_KERN_PANEL * RAG_KERN_QUAD;
    float most = 0.0f;
    int32_t sum = 0;
    bool as_is;

    for (size_t k = 0; k < m->n_in; k++)
        most = fmaxf(most, fabsf(weight_at(m, x, k)));
    as_is = m->by == NULL && step > 0.0f && most < 127.25f * step;
    for (size_t k = 0; k < m->n_in; k++) {
        float q = as_is         ? rintf(x[k] / step)
                  : most > 0.0f ? rintf(weight_at(m, x, k) / most * 127.0f)
                                : 0.0f;

        panel[k / RAG_KERN_QUAD * RAG_KERN_PANEL * RAG_KERN_QUAD +
              k % RAG_KERN_QUAD] = (int8_t)q;
        sum += (int32_t)q;
    }
    m->scale[o] = (as_is ? step : most / 127.0f) * factor;
    m->sum[o] = m->scale[o] * (float)sum;
}

/* Rows [first, first + n_out) of m from x, in the last matrix, on, and from the
 * bias already there. */
static void put_rows(target *m, size_t first, size_t n_out, float factor,
                     const rag_pack_parts *p, const float *x)
{
    size_t row = (size_t)(x - p->matrix) / m->stride;

    for (size_t o = 0; o < n_out; o++, x += m->stride) {
        put_row(m, first + o, x, factor, rag_pack_step(p, row + o));
        m->bias[first + o] *= factor;
    }
}

static rag_status matrix(target *m, size_t first, size_t n_out, float factor,
                         rag_pack_parts *p, rag_source_part w,
                         rag_source_part b, uint32_t layer, rag_error *err)
{
    const float *x;
    rag_status st;

    TRY(rag_pack_vector(m->bias + first, p, b, layer, n_out, true, err));
    TRY(rag_pack_matrix(&x, p, w, layer, n_out, m->n_in, err));
    put_rows(m, first, n_out, factor, p, x);
out:
    return st;
}

/* Queries, keys and values behind each other, the queries times
 * 1 / sqrt(head dims). */
static rag_status put_qkv(target *m, rag_pack_parts *p,
                          const rag_weights_head *h, uint32_t layer,
                          rag_error *err)
{
    size_t hidden = h->hidden;
    float q_factor = 1.0f / sqrtf((float)(hidden / h->n_heads));
    const float *x;
    rag_status st;

    if (rag_source_find(p->s, RAG_PART_QKV_W, layer) == NULL) {
        TRY(matrix(m, 0, hidden, q_factor, p, RAG_PART_Q_W, RAG_PART_Q_B, layer,
                   err));
        TRY(matrix(m, hidden, hidden, 1.0f, p, RAG_PART_K_W, RAG_PART_K_B,
                   layer, err));
        return matrix(m, 2 * hidden, hidden, 1.0f, p, RAG_PART_V_W,
                      RAG_PART_V_B, layer, err);
    }
    TRY(rag_pack_vector(m->bias, p, RAG_PART_QKV_B, layer, 3 * hidden, true,
                        err));
    TRY(rag_pack_matrix(&x, p, RAG_PART_QKV_W, layer, 3 * hidden, hidden, err));
    put_rows(m, 0, hidden, q_factor, p, x);
    put_rows(m, hidden, 2 * hidden, 1.0f, p, x + hidden * hidden);
out:
    return st;
}

/* Attention weights add up to 1, so the bias of the values only adds to what
 * comes out: it moves into the bias of the mix. The bias of the keys adds the
 * same to all scores of a query, which softmax does not see (unless positions
 * turn the keys). Without them int8 has finer steps for the rest. */
static rag_status put_mix(target *mix, target *qkv, rag_pack_parts *p,
                          const rag_weights_head *h, uint32_t layer,
                          rag_error *err)
{
    size_t hidden = h->hidden;
    float *key = qkv->bias + hidden;
    float *value = key + hidden;
    const float *x;
    bool ok = true;
    rag_status st;

    TRY(rag_pack_vector(mix->bias, p, RAG_PART_MIX_B, layer, hidden, true,
                        err));
    TRY(rag_pack_matrix(&x, p, RAG_PART_MIX_W, layer, hidden, hidden, err));
    for (size_t o = 0; o < hidden; o++) {
        double sum = (double)mix->bias[o];

        for (size_t k = 0; k < hidden; k++)
            sum += (double)x[o * hidden + k] * (double)value[k];
        ok = ok && fabs(sum) <= (double)FLT_MAX;
        mix->bias[o] = ok ? (float)sum : 0.0f;
    }
    if (!ok)
        return rag_fail(err, RAG_E_FORMAT,
                        "layer %u: attention output bias: not a number", layer);
    memset(value, 0, hidden * sizeof *value);
    if (h->arch != RAG_ARCH_MODERNBERT)
        memset(key, 0, hidden * sizeof *key);
    put_rows(mix, 0, hidden, 1.0f, p, x);
out:
    return st;
}

/* ModernBERT: panels in turn of the half that goes through `act` and of the
 * half that it multiplies. */
static rag_status put_gated(target *m, rag_pack_parts *p, size_t ffn,
                            uint32_t layer, rag_error *err)
{
    float *bias = rag_malloc(2 * ffn * sizeof *bias);
    const float *x;
    rag_status st;

    if (bias == NULL)
        return rag_fail_nomem(err);
    TRY(rag_pack_vector(bias, p, RAG_PART_UP_B, layer, 2 * ffn, true, err));
    TRY(rag_pack_matrix(&x, p, RAG_PART_UP_W, layer, 2 * ffn, m->n_in, err));
    for (size_t o = 0; o < 2 * ffn; o++) {
        size_t panel = o % ffn / RAG_KERN_PANEL * 2 + (o >= ffn ? 1 : 0);
        size_t row = panel * RAG_KERN_PANEL + o % RAG_KERN_PANEL;

        m->bias[row] = bias[o];
        put_row(m, row, x + o * m->n_in, 1.0f, rag_pack_step(p, o));
    }
out:
    rag_free(bias);
    return st;
}

static rag_status put_norm(unsigned char *layer, const float *weight,
                           const float *bias, rag_pack_parts *p,
                           rag_source_part w, rag_source_part b, uint32_t i,
                           size_t n, rag_error *err)
{
    rag_status st;

    TRY(rag_pack_vector(rag_pack_inside(layer, weight), p, w, i, n, false,
                        err));
    TRY(rag_pack_vector(rag_pack_inside(layer, bias), p, b, i, n, true, err));
out:
    return st;
}

/* A matrix [hidden x ffn], in parts of its inputs. */
static rag_status put_down(unsigned char *layer, const rag_weights_layer *l,
                           rag_pack_parts *p, const rag_weights_head *h,
                           uint32_t i, rag_error *err)
{
    size_t n_down = rag_weights_down(h);
    size_t part = h->ffn / n_down;
    target m = target_of(layer, &l->down[0], part, NULL);
    const float *x;
    rag_status st;

    TRY(rag_pack_vector(m.bias, p, RAG_PART_DOWN_B, i, h->hidden, true, err));
    TRY(rag_pack_matrix(&x, p, RAG_PART_DOWN_W, i, h->hidden, h->ffn, err));
    for (size_t d = 0; d < n_down; d++, x += part) {
        m = target_of(layer, &l->down[d], part, NULL);
        m.stride = h->ffn;
        if (d != 0)
            memset(m.bias, 0, h->hidden * sizeof *m.bias);
        put_rows(&m, 0, h->hidden, 1.0f, p, x);
    }
out:
    return st;
}

rag_weights_layer rag_pack_places(const unsigned char *layer,
                                  const rag_weights_head *h)
{
    rag_weights one = {.head = h, .layers = layer};

    return rag_weights_layer_at(&one, 0);
}

rag_status rag_pack_attention(unsigned char *to, rag_pack_parts *p,
                              const rag_weights_head *h, uint32_t layer,
                              rag_error *err)
{
    rag_weights_layer l = rag_pack_places(to, h);
    size_t hidden = h->hidden;
    target qkv = target_of(to, &l.qkv, hidden, l.qkv_by);
    target mix = target_of(to, &l.mix, hidden, NULL);
    rag_status st;

    TRY(put_qkv(&qkv, p, h, layer, err));
    TRY(put_mix(&mix, &qkv, p, h, layer, err));
    if (h->arch == RAG_ARCH_MODERNBERT && layer == 0) /* has no such norm */
        memset(rag_pack_inside(to, l.norm1_w), 0, 2 * hidden * sizeof(float));
    else
        TRY(put_norm(to, l.norm1_w, l.norm1_b, p, RAG_PART_NORM1_W,
                     RAG_PART_NORM1_B, layer, hidden, err));
out:
    return st;
}

rag_status rag_pack_forward(unsigned char *to, rag_pack_parts *p,
                            const rag_weights_head *h, uint32_t layer,
                            rag_error *err)
{
    rag_weights_layer l = rag_pack_places(to, h);
    size_t hidden = h->hidden;
    target up = target_of(to, &l.up, hidden, l.up_by);
    rag_status st;

    if (h->arch == RAG_ARCH_MODERNBERT)
        TRY(put_gated(&up, p, h->ffn, layer, err));
    else
        TRY(matrix(&up, 0, h->ffn, 1.0f, p, RAG_PART_UP_W, RAG_PART_UP_B, layer,
                   err));
    TRY(put_down(to, &l, p, h, layer, err));
    TRY(put_norm(to, l.norm2_w, l.norm2_b, p, RAG_PART_NORM2_W,
                 RAG_PART_NORM2_B, layer, hidden, err));
out:
    return st;
}

/* ---- embedding --------------------------------------------------------- */

/* Cosines and sines of the angles of each position, as the reference makes
 * them: the angle in single precision. */
static void put_rope(float *to, const rag_weights_head *h, float base)
{
    size_t dims = h->hidden / h->n_heads;
    size_t half = dims / 2;

    for (size_t p = 0; p < h->window; p++, to += dims) {
        for (size_t i = 0; i < half; i++) {
            float turn = (float)(1.0 / pow((double)base,
                                           2.0 * (double)i / (double)dims));
            float angle = (float)p * turn;

            to[i] = (float)cos((double)angle);
            to[half + i] = (float)sin((double)angle);
        }
    }
}

/* Positions with token type 0 added; *step [hidden] = type 1 less type 0. */
static rag_status put_positions(float *to, float *step, rag_pack_parts *p,
                                const rag_weights_head *h, rag_error *err)
{
    const rag_source_tensor *t;
    const rag_source_tensor *types;
    size_t hidden = h->hidden;
    float *zero = rag_calloc(hidden, sizeof *zero);
    rag_status st;

    if (zero == NULL)
        return rag_fail_nomem(err);
    TRY(rag_pack_table(&t, p, RAG_PART_POSITIONS, h->window, hidden, false,
                       err));
    TRY(rag_pack_table(&types, p, RAG_PART_TYPES, 1, hidden, true, err));
    if (types != NULL) {
        TRY(rag_pack_row(zero, types, 0, err));
        if (types->n_rows > 1)
            TRY(rag_pack_row(step, types, 1, err));
        for (size_t d = 0; types->n_rows > 1 && d < hidden; d++)
            step[d] -= zero[d];
    }
    for (size_t i = 0; i < h->window; i++, to += hidden) {
        TRY(rag_pack_row(to, t, i, err));
        for (size_t d = 0; d < hidden; d++)
            to[d] += zero[d];
    }
out:
    rag_free(zero);
    return st;
}

rag_status rag_pack_embed(float *to, rag_pack_parts *p,
                          const rag_weights_head *h, rag_error *err)
{
    size_t hidden = h->hidden;
    size_t tables = (size_t)h->window * (hidden / h->n_heads);
    bool modern = h->arch == RAG_ARCH_MODERNBERT;
    float *behind = to + (modern ? 2 * tables : (size_t)h->window * hidden);
    rag_status st;

    memset(behind, 0, 5 * hidden * sizeof *behind);
    if (modern) {
        put_rope(to, h, h->rope_global);
        put_rope(to + tables, h, h->rope_local);
    } else {
        TRY(put_positions(to, behind, p, h, err));
    }
    TRY(rag_pack_vector(behind + hidden, p, RAG_PART_EMBED_NORM_W, 0, hidden,
                        false, err));
    TRY(rag_pack_vector(behind + 2 * hidden, p, RAG_PART_EMBED_NORM_B, 0,
                        hidden, true, err));
    if (modern) {
        TRY(rag_pack_vector(behind + 3 * hidden, p, RAG_PART_FINAL_NORM_W, 0,
                            hidden, false, err));
        TRY(rag_pack_vector(behind + 4 * hidden, p, RAG_PART_FINAL_NORM_B, 0,
                            hidden, true, err));
    }
out:
    return st;
}

/* ---- head -------------------------------------------------------------- */

rag_status rag_pack_labels(float *to, rag_pack_parts *p,
                           const rag_weights_head *h, rag_error *err)
{
    size_t hidden = h->hidden;
    const float *x;
    rag_status st;

    TRY(rag_pack_matrix(&x, p, RAG_PART_HEAD_DENSE_W, 0, hidden, hidden, err));
    for (size_t o = 0; o < hidden; o++) {
        for (size_t k = 0; k < hidden; k++)
            to[k * hidden + o] = x[o * hidden + k];
    }
    to += hidden * hidden;
    TRY(rag_pack_vector(to, p, RAG_PART_HEAD_DENSE_B, 0, hidden, true, err));
    to += hidden;
    memset(to, 0, 2 * hidden * sizeof *to);
    if (h->head == RAG_HEAD_MODERNBERT) {
        TRY(rag_pack_vector(to, p, RAG_PART_HEAD_NORM_W, 0, hidden, false,
                            err));
        TRY(rag_pack_vector(to + hidden, p, RAG_PART_HEAD_NORM_B, 0, hidden,
                            true, err));
    }
    to += 2 * hidden;
    TRY(rag_pack_matrix(&x, p, RAG_PART_HEAD_OUT_W, 0, h->n_labels, hidden,
                        err));
    memcpy(to, x, h->n_labels * hidden * sizeof *to);
    to += h->n_labels * hidden;
    TRY(rag_pack_vector(to, p, RAG_PART_HEAD_OUT_B, 0, h->n_labels, true, err));
out:
    return st;
}

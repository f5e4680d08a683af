#include "nn/attend.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* queries in work at once, half a kernel's rows: their scores over 256 keys and
 * the packed keys fit into a first-level cache */
#define QUERIES (RAG_KERN_MOST_ROWS / 2)
/* values so many powers of two below the text's largest count as 0 */
#define V_RANGE 24.0f

typedef struct room {
    int8_t *k;       /* [n_panels][dims / 4][32][4] */
    int8_t *v;       /* [v_panels][8 n_panels][32][4] */
    int32_t *scores; /* [n_panels][QUERIES][32] */
    int8_t *p;       /* [QUERIES x 32 n_panels] */
    float *row;      /* [2][32 n_panels] */
    float *k_scale;  /* [32 n_panels] */
    float *v_log;    /* [32 n_panels] */
    float *v_one;    /* [32 n_panels] */
    int32_t *acc;    /* [QUERIES x 32] */
    int32_t *q_sum;  /* [QUERIES] */
    int32_t *p_sum;  /* [QUERIES] */
    float *factor;   /* [QUERIES] */
    size_t n_panels; /* of 32 keys */
    size_t v_panels; /* of 32 dims */
} room;

static size_t panels(size_t n)
{
    return (n + RAG_KERN_PANEL - 1) / RAG_KERN_PANEL;
}

static void *take(char **at, size_t n_bytes)
{
    void *p = *at;

    *at += (n_bytes + 63) & ~(size_t)63;
    return p;
}

static void lay_out(room *r, char *scratch, size_t n, size_t dims)
{
    size_t keys = panels(n) * RAG_KERN_PANEL;
    char *at = scratch;

    r->n_panels = panels(n);
    r->v_panels = panels(dims);
    r->k = take(&at, keys * dims);
    r->v = take(&at, keys * r->v_panels * RAG_KERN_PANEL);
    r->scores = take(&at, keys * QUERIES * sizeof *r->scores);
    r->p = take(&at, keys * QUERIES);
    r->row = take(&at, 2 * keys * sizeof *r->row);
    r->k_scale = take(&at, keys * sizeof *r->k_scale);
    r->v_log = take(&at, keys * sizeof *r->v_log);
    r->v_one = take(&at, keys * sizeof *r->v_one);
    r->acc = take(&at, QUERIES * RAG_KERN_PANEL * sizeof *r->acc);
    r->q_sum = take(&at, QUERIES * sizeof *r->q_sum);
    r->p_sum = take(&at, QUERIES * sizeof *r->p_sum);
    r->factor = take(&at, QUERIES * sizeof *r->factor);
}

size_t rag_attend_bytes(size_t n, size_t dims)
{
    size_t keys = panels(n) * RAG_KERN_PANEL;
    size_t v_dims = panels(dims) * RAG_KERN_PANEL;

    /* as laid out: all that keys bring is whole lines, as dims are even */
    return keys * (dims + v_dims + 5 * QUERIES + 5 * sizeof(float)) +
           QUERIES * RAG_KERN_PANEL * sizeof(int32_t) +
           3 * ((QUERIES * sizeof(int32_t) + 63) & ~(size_t)63);
}

/* 2^log as a float, log a whole number within a float's normal range. */
static float power_of_two(float log)
{
    uint32_t bits = (uint32_t)((int32_t)log + 127) << 23;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 16 bytes of each of four keys: fours of dims, one stride apart, in which
 * the keys stand side by side. */
static void turn(int8_t *to, const int8_t *const *keys)
{
    const size_t stride = (size_t)RAG_KERN_PANEL * RAG_KERN_QUAD;
#if defined(__SSE2__)
    __m128i a = _mm_loadu_si128((const void *)keys[0]);
    __m128i b = _mm_loadu_si128((const void *)keys[1]);
    __m128i c = _mm_loadu_si128((const void *)keys[2]);
    __m128i d = _mm_loadu_si128((const void *)keys[3]);
    __m128i ab = _mm_unpacklo_epi32(a, b);
    __m128i cd = _mm_unpacklo_epi32(c, d);

    _mm_store_si128((void *)to, _mm_unpacklo_epi64(ab, cd));
    _mm_store_si128((void *)(to + stride), _mm_unpackhi_epi64(ab, cd));
    ab = _mm_unpackhi_epi32(a, b);
    cd = _mm_unpackhi_epi32(c, d);
    _mm_store_si128((void *)(to + 2 * stride), _mm_unpacklo_epi64(ab, cd));
    _mm_store_si128((void *)(to + 3 * stride), _mm_unpackhi_epi64(ab, cd));
#else
    for (size_t d = 0; d < 16; d += RAG_KERN_QUAD, to += stride) {
        for (size_t i = 0; i < 4; i++)
            memcpy(to + i * RAG_KERN_QUAD, keys[i] + d, RAG_KERN_QUAD);
    }
#endif
}

static void pack_keys(room *r, const rag_attend_head *t)
{
    static const int8_t zeros[16] = {0};
    size_t panel_bytes = t->dims * RAG_KERN_PANEL;
    size_t keys = r->n_panels * RAG_KERN_PANEL;

    for (size_t j = 0; j < keys; j += 4) {
        int8_t *to = r->k + j / RAG_KERN_PANEL * panel_bytes +
                     j % RAG_KERN_PANEL * RAG_KERN_QUAD;

        /* dims are a multiple of 16 */
        for (size_t d = 0; d < t->dims; d += 16) {
            const int8_t *from[4];

            for (size_t i = 0; i < 4; i++)
                from[i] = j + i < t->n ? t->k + (j + i) * t->stride + d : zeros;
            turn(to + d * RAG_KERN_PANEL, from);
        }
    }
    for (size_t j = 0; j < keys; j++)
        r->k_scale[j] = j < t->n ? t->k_scale[j * t->scale_stride] : 0.0f;
}

/* Four rows of 16 bytes become 16 columns of 4. */
static void interleave(int8_t *to, const int8_t *const *rows)
{
#if defined(__SSE2__)
    __m128i a = _mm_loadu_si128((const void *)rows[0]);
    __m128i b = _mm_loadu_si128((const void *)rows[1]);
    __m128i c = _mm_loadu_si128((const void *)rows[2]);
    __m128i d = _mm_loadu_si128((const void *)rows[3]);
    __m128i ab = _mm_unpacklo_epi8(a, b);
    __m128i cd = _mm_unpacklo_epi8(c, d);

    _mm_store_si128((void *)to, _mm_unpacklo_epi16(ab, cd));
    _mm_store_si128((void *)(to + 16), _mm_unpackhi_epi16(ab, cd));
    ab = _mm_unpackhi_epi8(a, b);
    cd = _mm_unpackhi_epi8(c, d);
    _mm_store_si128((void *)(to + 32), _mm_unpacklo_epi16(ab, cd));
    _mm_store_si128((void *)(to + 48), _mm_unpackhi_epi16(ab, cd));
#elif defined(__ARM_NEON)
    int8x16x4_t all = {{vld1q_s8(rows[0]), vld1q_s8(rows[1]), vld1q_s8(rows[2]),
                        vld1q_s8(rows[3])}};

    vst4q_s8(to, all);
#else
    for (size_t d = 0; d < 16; d++) {
        for (size_t i = 0; i < 4; i++)
            *to++ = rows[i][d];
    }
#endif
}

static void pack_values(room *r, const rag_attend_head *t)
{
    static const int8_t zeros[16] = {0};
    size_t keys = r->n_panels * RAG_KERN_PANEL;
    float least = t->n != 0 ? t->v_log[0] : 0.0f;

    for (size_t j = 1; j < t->n; j++) {
        float log = t->v_log[j * t->scale_stride];

        least = log > least ? log : least;
    }
    least -= V_RANGE;
    for (size_t j = 0; j < keys; j += RAG_KERN_QUAD) {
        const int8_t *rows[RAG_KERN_QUAD];

        for (size_t i = 0; i < RAG_KERN_QUAD; i++) {
            size_t at = j + i;
            bool is_key = at < t->n;
            float log =
                is_key ? t->v_log[at * t->scale_stride] : RAG_KERN_NO_KEY;

            rows[i] = is_key && log >= least ? t->v + at * t->stride : NULL;
            r->v_log[at] = is_key && log < least ? least : log;
            r->v_one[at] = is_key ? power_of_two(-r->v_log[at]) : 0.0f;
        }
        for (size_t d = 0; d < r->v_panels * RAG_KERN_PANEL; d += 16) {
            const int8_t *part[RAG_KERN_QUAD];
            int8_t *to = r->v + d / RAG_KERN_PANEL * keys * RAG_KERN_PANEL +
                         j * RAG_KERN_PANEL +
                         d % RAG_KERN_PANEL * RAG_KERN_QUAD;

            for (size_t i = 0; i < RAG_KERN_QUAD; i++)
                part[i] = rows[i] != NULL && d < t->dims ? rows[i] + d : zeros;
            interleave(to, part);
        }
    }
}

/* The weighted values of queries i .. i + n_rows, keys from panel `first`. */
static void mix(const room *r, const rag_attend_head *t, const rag_kern *kern,
                size_t i, size_t n_rows, size_t first, size_t n_panels)
{
    static const float ones[RAG_KERN_PANEL] = {
        1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f,
        1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f,
        1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    static const float zeros[RAG_KERN_PANEL] = {0};
    size_t keys = n_panels * RAG_KERN_PANEL;
    float room_y[QUERIES * RAG_KERN_PANEL];

    for (size_t p = 0; p < r->v_panels; p++) {
        const int8_t *v =
            r->v + (p * r->n_panels + first) * RAG_KERN_PANEL * RAG_KERN_PANEL;
        size_t d = p * RAG_KERN_PANEL;
        bool is_whole = d + RAG_KERN_PANEL <= t->dims;
        float *out = t->out + (i - t->first) * t->out_stride + d;
        rag_kern_out o = {is_whole ? out : room_y,
                          is_whole ? t->out_stride : RAG_KERN_PANEL,
                          r->acc,
                          n_rows,
                          r->factor,
                          zeros,
                          ones,
                          zeros,
                          zeros};

        kern->gemm(r->acc, r->p, keys, r->p_sum, n_rows, v,
                   keys / RAG_KERN_QUAD);
        kern->out_linear(&o);
        for (size_t m = 0; !is_whole && m < n_rows; m++)
            memcpy(out + m * t->out_stride, room_y + m * RAG_KERN_PANEL,
                   (t->dims - d) * sizeof *out);
    }
}

static void some_queries(const room *r, const rag_attend_head *t,
                         const rag_kern *kern, size_t i, size_t n_rows)
{
    size_t first = 0;
    size_t end = r->n_panels;
    bool is_local = t->reach != 0 && t->reach + 1 < t->n;
    rag_kern_weigh w;

    if (is_local) {
        size_t last = i + n_rows - 1 + t->reach;

        first = i > t->reach ? (i - t->reach) / RAG_KERN_PANEL : 0;
        end = last + 1 < t->n ? panels(last + 1) : end;
    }
    for (size_t m = 0; m < n_rows; m++)
        r->q_sum[m] = t->q_sum[(i + m) * t->sum_stride];
    for (size_t p = first; p < end; p++)
        kern->gemm(r->scores + (p - first) * n_rows * RAG_KERN_PANEL,
                   t->q + i * t->stride, t->stride, r->q_sum, n_rows,
                   r->k + p * RAG_KERN_PANEL * t->dims,
                   t->dims / RAG_KERN_QUAD);
    w = (rag_kern_weigh){
        .p = r->p,
        .sum = r->p_sum,
        .factor = r->factor,
        .row = r->row,
        .scores = r->scores,
        .q_scale = t->q_scale + i * t->scale_stride,
        .scale_stride = t->scale_stride,
        .k_scale = r->k_scale + first * RAG_KERN_PANEL,
        .v_log = r->v_log + first * RAG_KERN_PANEL,
        .v_one = r->v_one + first * RAG_KERN_PANEL,
        .n_rows = n_rows,
        .n_panels = end - first,
        .is_local = is_local,
        .first = (ptrdiff_t)i - (ptrdiff_t)t->reach -
                 (ptrdiff_t)(first * RAG_KERN_PANEL),
        .last = (ptrdiff_t)(i + t->reach) - (ptrdiff_t)(first * RAG_KERN_PANEL),
    };
    kern->weigh(&w);
    mix(r, t, kern, i, n_rows, first, end - first);
}

void rag_attend(const rag_attend_head *t, const rag_kern *kern)
{
    size_t end = t->first + t->n_queries;
    size_t queries = kern->rows / 2;
    room r;

    lay_out(&r, t->scratch, t->n, t->dims);
    pack_keys(&r, t);
    pack_values(&r, t);
    for (size_t i = t->first; i < end; i += queries)
        some_queries(&r, t, kern, i, end - i < queries ? end - i : queries);
    rag_kern_end(kern);
}

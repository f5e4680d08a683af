/* The kernels for AArch64 with the dot product instructions. */
#include "nn/kern_tiers.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#define TIER
#define W 4u

typedef float32x4_t vf;
typedef int32x4_t vi;

static inline vf vf_set(float x)
{
    return vdupq_n_f32(x);
}
static inline vf vf_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void vf_store(float *p, vf x)
{
    vst1q_f32(p, x);
}
static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
/* What is no number gives way to the other, as on x86 the first operand does */
static inline vf vf_max(vf a, vf b)
{
    return vmaxnmq_f32(a, b);
}
static inline vf vf_min(vf a, vf b)
{
    return vminnmq_f32(a, b);
}
static inline vf vf_of_int(const int32_t *p)
{
    return vcvtq_f32_s32(vld1q_s32(p));
}

static inline vf vf_load_n(const float *p, size_t n)
{
    float x[W] = {0};

    memcpy(x, p, n * sizeof *x);
    return vld1q_f32(x);
}
static inline void vf_store_n(float *p, vf x, size_t n)
{
    float all[W];

    vst1q_f32(all, x);
    memcpy(p, all, n * sizeof *p);
}
static inline vf vf_keep_n(vf x, size_t n)
{
    static const uint32_t lanes[W] = {0, 1, 2, 3};
    uint32x4_t keep = vcltq_u32(vld1q_u32(lanes), vdupq_n_u32((uint32_t)n));

    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), keep));
}
/* Lane i takes lane i + 2, then i + 1. */
#define REDUCE(NAME, OP)                                                       \
    static inline float NAME(vf x)                                             \
    {                                                                          \
        float32x2_t a = OP(vget_low_f32(x), vget_high_f32(x));                 \
                                                                               \
        return vget_lane_f32(OP(a, vdup_lane_f32(a, 1)), 0);                   \
    }
REDUCE(vf_reduce_add, vadd_f32)
REDUCE(vf_reduce_max, vmaxnm_f32)
REDUCE(vf_reduce_min, vminnm_f32)

/* p * 2^n, n as RAG_KERN_ROUND left it */
static inline vf vf_scale2(vf p, vf n)
{
    int32x4_t e = vshlq_n_s32(vreinterpretq_s32_f32(n), 23);

    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), e));
}

static inline vi vi_zero(void)
{
    return vdupq_n_s32(0);
}
static inline int32_t vi_reduce(vi x)
{
    return vaddvq_s32(x);
}

/* Rounds 32 floats into int8 and adds them to sum. */
static inline vi vf_store_32(int8_t *q, const vf *x, vi sum)
{
    for (size_t i = 0; i < 8; i += 4) {
        int32x4_t a = vcvtnq_s32_f32(x[i]);
        int32x4_t b = vcvtnq_s32_f32(x[i + 1]);
        int32x4_t c = vcvtnq_s32_f32(x[i + 2]);
        int32x4_t d = vcvtnq_s32_f32(x[i + 3]);
        int16x8_t ab = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
        int16x8_t cd = vcombine_s16(vqmovn_s32(c), vqmovn_s32(d));

        vst1q_s8(q + 4 * i, vcombine_s8(vqmovn_s16(ab), vqmovn_s16(cd)));
        sum = vaddq_s32(sum, vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d)));
    }
    return sum;
}

/* Rounds n <= 4 floats into int8, returns their sum. */
static inline int32_t vf_store_n8(int8_t *q, vf x, size_t n)
{
    int32x4_t i = vcvtnq_s32_f32(x);
    int16x4_t h = vqmovn_s32(i);
    int8_t all[8];

    vst1_s8(all, vqmovn_s16(vcombine_s16(h, h)));
    memcpy(q, all, n);
    return vi_reduce(i);
}

#include "nn/kern_body.h"

#if defined(__clang__)
#define DOT_TIER __attribute__((target("dotprod")))
#else
#define DOT_TIER __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

/* c += four outputs' weights times the four activations in lane L of a. As an
 * instruction of its own: not every compiler offers it in a function alone. */
#define DOT(c, w, a, L)                                                        \
    __asm__("sdot %0.4s, %1.16b, %2.4b[" #L "]" : "+w"(c) : "w"(w), "w"(a))

/* One quad of inputs: 32 outputs, M tokens. */
#define QUAD(M, L)                                                             \
    do {                                                                       \
        UNROLL                                                                 \
        for (size_t o = 0; o < 8; o++) {                                       \
            int8x16_t v = vld1q_s8(w + 16 * o);                                \
                                                                               \
            UNROLL                                                             \
            for (size_t t = 0; t < (M); t++)                                   \
                DOT(c[t][o], v, x[t], L);                                      \
        }                                                                      \
        w += RAG_KERN_PANEL * RAG_KERN_QUAD;                                   \
    } while (0)

/* M tokens by 32 outputs: at most 24 sums, 3 activations and a weight vector
 * fit into 32 registers. */
#define DEFINE_GEMM(M)                                                         \
    DOT_TIER static void gemm_##M(int32_t *acc, const int8_t *a,               \
                                  size_t stride, const int8_t *w,              \
                                  size_t n_quads)                              \
    {                                                                          \
        int32x4_t c[M][8];                                                     \
        int8x16_t x[M];                                                        \
        size_t k = 0;                                                          \
                                                                               \
        UNROLL                                                                 \
        for (size_t t = 0; t < (M); t++) {                                     \
            UNROLL                                                             \
            for (size_t o = 0; o < 8; o++)                                     \
                c[t][o] = vdupq_n_s32(0);                                      \
        }                                                                      \
        for (; k + 4 <= n_quads; k += 4, a += 16) {                            \
            UNROLL                                                             \
            for (size_t t = 0; t < (M); t++)                                   \
                x[t] = vld1q_s8(a + t * stride);                               \
            QUAD(M, 0);                                                        \
            QUAD(M, 1);                                                        \
            QUAD(M, 2);                                                        \
            QUAD(M, 3);                                                        \
        }                                                                      \
        for (; k < n_quads; k++, a += 4) {                                     \
            UNROLL                                                             \
            for (size_t t = 0; t < (M); t++) {                                 \
                int32_t four;                                                  \
                                                                               \
                memcpy(&four, a + t * stride, sizeof four);                    \
                x[t] = vreinterpretq_s8_s32(vdupq_n_s32(four));                \
            }                                                                  \
            QUAD(M, 0);                                                        \
        }                                                                      \
        UNROLL                                                                 \
        for (size_t t = 0; t < (M); t++) {                                     \
            UNROLL                                                             \
            for (size_t o = 0; o < 8; o++)                                     \
                vst1q_s32(acc + t * RAG_KERN_PANEL + 4 * o, c[t][o]);          \
        }                                                                      \
    }

DEFINE_GEMM(1)
DEFINE_GEMM(2)
DEFINE_GEMM(3)

DOT_TIER static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                          const int32_t *a_sum, size_t n_rows, const int8_t *w,
                          size_t n_quads)
{
    (void)a_sum; /* the instruction multiplies signed by signed */
    for (; n_rows >= 3; n_rows -= 3) {
        gemm_3(acc, a, a_stride, w, n_quads);
        acc += 3 * RAG_KERN_PANEL;
        a += 3 * a_stride;
    }
    if (n_rows == 2)
        gemm_2(acc, a, a_stride, w, n_quads);
    if (n_rows == 1)
        gemm_1(acc, a, a_stride, w, n_quads);
}

const rag_kern rag_kern_neon =
    RAG_KERN_TABLE(gemm, NULL, RAG_KERN_ROWS, "neon");

#endif

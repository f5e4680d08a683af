/* The product for AMX-INT8; all else is AVX-512's. Run in an emulator, never on
 * hardware, by those who wrote it: see rag_kern_amx_works(). */
#include "nn/kern_tiers.h"

#if defined(__x86_64__)

#include <string.h>

/* The instructions themselves: compilers' intrinsics need the tile numbers as
 * literals anyway, and not all of them accept the target by attribute. */
#define tile_config(c) __asm__ volatile("ldtilecfg %0" ::"m"(*(c)))
#define tile_release() __asm__ volatile("tilerelease")
#define tile_ask(p) __builtin_prefetch((p), 0, 2)
#define TILE_NAME_(t) "%%tmm" #t
#define TILE_NAME(t) TILE_NAME_(t)
#define tile_zero(t) __asm__ volatile("tilezero " TILE_NAME(t)::)
#define tile_load(t, from, stride)                                             \
    __asm__ volatile("tileloadd (%0,%1,1), " TILE_NAME(t)::"r"(from),          \
                     "r"((size_t)(stride))                                     \
                     : "memory")
#define tile_store(t, to, stride)                                              \
    __asm__ volatile("tilestored " TILE_NAME(t) ", (%0,%1,1)" ::"r"(to),       \
                     "r"((size_t)(stride))                                     \
                     : "memory")
#define tile_dot(c, a, b)                                                      \
    __asm__ volatile(                                                          \
        "tdpbssd " TILE_NAME(b) ", " TILE_NAME(a) ", " TILE_NAME(c)::)

#include "nn/kern_amx_body.h"

void rag_kern_amx_gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                       const int32_t *a_sum, size_t n_rows, const int8_t *w,
                       size_t n_quads)
{
    gemm(acc, a, a_stride, a_sum, n_rows, w, n_quads);
}

void rag_kern_amx_end(void)
{
    gemm_end();
}

/* rows and quads of the check: whole tiles, and a rest of either */
#define CHECK_ROWS ((size_t)37)
#define CHECK_QUADS ((size_t)20)

bool rag_kern_amx_works(void)
{
    _Alignas(64) static const int8_t some[8] = {127, -127, 1, -3,
                                                90,  -64,  0, 7};
    _Alignas(64) int8_t w[CHECK_QUADS * RAG_KERN_PANEL * RAG_KERN_QUAD];
    int8_t a[CHECK_ROWS * CHECK_QUADS * RAG_KERN_QUAD];
    int32_t sum[CHECK_ROWS] = {0};
    int32_t want[CHECK_ROWS * RAG_KERN_PANEL];
    int32_t got[CHECK_ROWS * RAG_KERN_PANEL];
    size_t n_in = CHECK_QUADS * RAG_KERN_QUAD;
    bool same = true;

    for (size_t i = 0; i < sizeof w; i++)
        w[i] = some[i * 5 % 7];
    for (size_t i = 0; i < sizeof a; i++)
        a[i] = some[i * 3 % 8];
    rag_kern_scalar.gemm(want, a, n_in, sum, CHECK_ROWS, w, CHECK_QUADS);
    /* many rows, and few of another shape */
    for (size_t n = CHECK_ROWS; n > 16 && same; n -= 16) {
        gemm(got, a, n_in, sum, n, w, CHECK_QUADS);
        same = memcmp(want, got, n * RAG_KERN_PANEL * sizeof *want) == 0;
    }
    gemm_end();
    return same;
}

#endif

/* The product for AMX-INT8; all else is AVX-512's. Never run on hardware by
 * those who wrote it: see rag_kern_amx_works(). */
#include "nn/kern_tiers.h"

#if defined(__x86_64__)

#include <string.h>

/* The instructions themselves: compilers' intrinsics need the tile numbers as
 * literals anyway, and not all of them accept the target by attribute. */
#define tile_config(c) __asm__ volatile("ldtilecfg %0" ::"m"(*(c)))
#define tile_release() __asm__ volatile("tilerelease")
#define TILE_NAME_(t) "%%tmm" #t
#define TILE_NAME(t) TILE_NAME_(t)
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

/* rows and quads of the check: whole tiles, and a rest of either */
#define CHECK_ROWS ((size_t)21)
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

    for (size_t i = 0; i < sizeof w; i++)
        w[i] = some[i * 5 % 7];
    for (size_t i = 0; i < sizeof a; i++)
        a[i] = some[i * 3 % 8];
    rag_kern_scalar.gemm(want, a, n_in, sum, CHECK_ROWS, w, CHECK_QUADS);
    gemm(got, a, n_in, sum, CHECK_ROWS, w, CHECK_QUADS);
    return memcmp(want, got, sizeof want) == 0;
}

#endif

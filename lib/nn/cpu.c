#include "nn/cpu.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"scalar", "avx2", "avx512"};

const char *rag_cpu_name(rag_cpu_tier tier)
{
    return names[tier];
}

#if defined(__x86_64__)

#include <cpuid.h>

/* register state that the operating system saves: SSE and AVX; and the three
 * parts of AVX-512 */
#define XCR0_AVX 0x06u
#define XCR0_AVX512 0xE6u

static uint64_t xcr0(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool has(uint32_t reg, unsigned bit)
{
    return (reg >> bit & 1u) != 0;
}

rag_cpu_tier rag_cpu_best(void)
{
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
    uint64_t saved;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return RAG_CPU_SCALAR;
    if (!has(c, 27) || !has(c, 28) || !has(c, 12)) /* OSXSAVE, AVX, FMA */
        return RAG_CPU_SCALAR;
    saved = xcr0();
    if ((saved & XCR0_AVX) != XCR0_AVX)
        return RAG_CPU_SCALAR;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, 5)) /* AVX2 */
        return RAG_CPU_SCALAR;
    if ((saved & XCR0_AVX512) == XCR0_AVX512 && has(b, 16) && has(b, 17) &&
        has(b, 30) && has(b, 31) && has(c, 11)) /* F, DQ, BW, VL, VNNI */
        return RAG_CPU_AVX512;
    return RAG_CPU_AVX2;
}

#else

rag_cpu_tier rag_cpu_best(void)
{
    return RAG_CPU_SCALAR;
}

#endif

rag_cpu_tier rag_cpu_chosen(void)
{
    rag_cpu_tier best = rag_cpu_best();
    const char *want = getenv("RAG_CPU");

    if (want == NULL)
        return best;
    for (rag_cpu_tier t = RAG_CPU_SCALAR; t < best; t++) {
        if (strcmp(want, names[t]) == 0)
            return t;
    }
    return best;
}

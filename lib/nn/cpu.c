#include "nn/cpu.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[RAG_CPU_TIERS] = {"scalar", "avx2", "avxvnni",
                                                 "avx512", "amx",  "neon"};

const char *rag_cpu_name(rag_cpu_tier tier)
{
    return names[tier];
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* register state that the operating system saves: SSE and AVX; the three parts
 * of AVX-512; the two of AMX */
#define XCR0_AVX 0x06u
#define XCR0_AVX512 0xE6u
#define XCR0_AMX 0x60000u
/* arch_prctl(2): may this process use a state as large as the tiles? */
#define ASK_FOR_STATE 0x1023
#define STATE_TILES 18

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

/* Bit b of EAX of the features' second page. */
static bool has_page_1(unsigned bit)
{
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;

    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, bit);
}

static bool may_use_tiles(void)
{
    return syscall(SYS_arch_prctl, ASK_FOR_STATE, STATE_TILES) == 0;
}

bool rag_cpu_has(rag_cpu_tier tier)
{
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
    uint64_t saved;

    if (tier == RAG_CPU_SCALAR)
        return true;
    if (tier == RAG_CPU_NEON || !__get_cpuid(1, &a, &b, &c, &d))
        return false;
    if (!has(c, 27) || !has(c, 28) || !has(c, 12)) /* OSXSAVE, AVX, FMA */
        return false;
    saved = xcr0();
    if ((saved & XCR0_AVX) != XCR0_AVX)
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, 5)) /* AVX2 */
        return false;
    if (tier == RAG_CPU_AVX2)
        return true;
    if (tier == RAG_CPU_AVXVNNI)
        return has_page_1(4);
    if ((saved & XCR0_AVX512) != XCR0_AVX512 || !has(b, 16) || !has(b, 17) ||
        !has(b, 30) || !has(b, 31) || !has(c, 11)) /* F, DQ, BW, VL, VNNI */
        return false;
    if (tier == RAG_CPU_AVX512)
        return true;
    return (saved & XCR0_AMX) == XCR0_AMX && has(d, 24) && has(d, 25) &&
           may_use_tiles();
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

#define HWCAP_DOT_PRODUCT (1ul << 20)

bool rag_cpu_has(rag_cpu_tier tier)
{
    return tier == RAG_CPU_SCALAR ||
           (tier == RAG_CPU_NEON &&
            (getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCT) != 0);
}

#else

bool rag_cpu_has(rag_cpu_tier tier)
{
    return tier == RAG_CPU_SCALAR;
}

#endif

/* The best one that is at most `most`. */
static rag_cpu_tier best_up_to(rag_cpu_tier most)
{
    while (most != RAG_CPU_SCALAR && !rag_cpu_has(most))
        most--;
    return most;
}

rag_cpu_tier rag_cpu_best(void)
{
    return best_up_to(RAG_CPU_NEON);
}

/* RAG_CPU's tier; false: it names none. */
static bool named(rag_cpu_tier *out, const char *want)
{
    for (rag_cpu_tier t = RAG_CPU_SCALAR; t <= RAG_CPU_NEON; t++) {
        if (strcmp(want, names[t]) == 0) {
            *out = t;
            return true;
        }
    }
    return false;
}

rag_cpu_tier rag_cpu_chosen(void)
{
    const char *want = getenv("RAG_CPU");
    rag_cpu_tier most = RAG_CPU_NEON;

    return want != NULL && named(&most, want) ? best_up_to(most)
                                              : rag_cpu_best();
}

bool rag_cpu_is_named(void)
{
    const char *want = getenv("RAG_CPU");
    rag_cpu_tier t;

    return want == NULL || want[0] == '\0' || named(&t, want);
}

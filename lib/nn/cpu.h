#ifndef RAG_NN_CPU_H
#define RAG_NN_CPU_H

/*
 * cpu — which vector units may be used.
 *
 * The answer comes from the processor itself (cpuid, and xgetbv for what the
 * kernel saves; AMX also needs the kernel's permission, which is asked for) or,
 * on ARM, from the kernel. RAG_CPU=scalar|avx2|avxvnni|avx512|amx|neon lowers
 * it, never raises it: where a machine lacks the one named, the next lower one
 * it has is taken.
 * Threads: safe to share.
 */

#include <stdbool.h>

/* Slowest first. */
typedef enum rag_cpu_tier {
    RAG_CPU_SCALAR,
    RAG_CPU_AVX2,    /* AVX2, FMA */
    RAG_CPU_AVXVNNI, /* and AVX-VNNI */
    RAG_CPU_AVX512,  /* AVX512 F, BW, DQ, VL and VNNI */
    RAG_CPU_AMX,     /* and AMX-TILE, AMX-INT8 */
    RAG_CPU_NEON     /* AArch64 with the dot product instructions */
} rag_cpu_tier;
#define RAG_CPU_TIERS 6

/* Whether this machine has it. */
bool rag_cpu_has(rag_cpu_tier tier);
/* The best tier of this machine, without and with the environment. */
rag_cpu_tier rag_cpu_best(void);
rag_cpu_tier rag_cpu_chosen(void);
const char *rag_cpu_name(rag_cpu_tier tier);
/* Whether RAG_CPU is empty, not set, or names a tier: another word is as none,
 * and who set it should hear so. */
bool rag_cpu_is_named(void);

#endif /* RAG_NN_CPU_H */

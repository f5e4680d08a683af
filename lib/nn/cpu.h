#ifndef RAG_NN_CPU_H
#define RAG_NN_CPU_H

/*
 * cpu — which vector units may be used.
 *
 * The answer comes from the processor itself (cpuid, and xgetbv for what the
 * kernel saves); RAG_CPU=scalar|avx2|avx512 lowers it, never raises it.
 * Threads: safe to share.
 */

typedef enum rag_cpu_tier {
    RAG_CPU_SCALAR,
    RAG_CPU_AVX2,  /* AVX2, FMA */
    RAG_CPU_AVX512 /* AVX512 F, BW, DQ, VL and VNNI */
} rag_cpu_tier;

/* The best tier of this machine, without and with the environment. */
rag_cpu_tier rag_cpu_best(void);
rag_cpu_tier rag_cpu_chosen(void);
const char *rag_cpu_name(rag_cpu_tier tier);

#endif /* RAG_NN_CPU_H */

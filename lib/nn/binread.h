#ifndef RAG_NN_BINREAD_H
#define RAG_NN_BINREAD_H

/*
 * binread — a foreign file from front to back, byte by byte. What would lie
 * behind the end is not there and sets a flag that stays, so that a reader may
 * ask once after several steps.
 *
 * Owns:    nothing; what is taken lies in the bytes given.
 * Threads: one object per thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rag_binread {
    const unsigned char *ptr;
    size_t len;
    size_t at;
    bool bad; /* something lay behind the end */
} rag_binread;

/* The next n bytes; NULL: there are not so many. */
const unsigned char *rag_binread_take(rag_binread *r, uint64_t n);
/* A little-endian number of up to 8 bytes; 0 where there is none. */
uint64_t rag_binread_number(rag_binread *r, size_t n_bytes);
/* The same at p, which has the bytes. */
uint64_t rag_binread_number_at(const unsigned char *p, size_t n_bytes);

#endif /* RAG_NN_BINREAD_H */

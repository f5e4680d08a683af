#ifndef RAG_NN_PBWIRE_H
#define RAG_NN_PBWIRE_H

/*
 * pbwire — the wire format of protocol buffers, field by field. A whole library
 * for it would read the message into objects first; here 130 MB of weights stay
 * in the mapping, and a dozen fields are needed.
 *
 * Owns:    nothing.
 * Errors:  a flag in the reader; groups, field 0 and lengths behind the end are
 *          malformed.
 * Threads: one object per thread.
 */

#include "base/str.h"

typedef struct rag_pbwire {
    const unsigned char *ptr;
    size_t len;
    size_t at;
    bool bad;
} rag_pbwire;

typedef struct rag_pbwire_field {
    uint32_t no;
    bool is_bytes;  /* else a number */
    uint64_t value; /* of a varint, or the bits of a fixed one */
    rag_str bytes;  /* borrowed from the message */
} rag_pbwire_field;

rag_pbwire rag_pbwire_of(rag_str message);
/* false at the end, and when the message is malformed (r->bad). */
bool rag_pbwire_next(rag_pbwire_field *f, rag_pbwire *r);
/* The next varint of a packed field. */
bool rag_pbwire_varint(uint64_t *out, rag_pbwire *r);

#endif /* RAG_NN_PBWIRE_H */

#ifndef RAG_BASE_STR_H
#define RAG_BASE_STR_H

/*
 * str — a borrowed slice of bytes. It owns nothing and ends where the memory
 * it points into ends; never store one longer than that. Not NUL-terminated.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rag_str {
    const char *ptr; /* [len]; may be NULL when len is 0 */
    size_t len;      /* bytes */
} rag_str;

#define RAG_STR_LIT(s) ((rag_str){"" s, sizeof(s) - 1})

rag_str rag_str_of(const char *nul_terminated); /* NULL gives an empty one */
rag_str rag_str_n(const char *ptr, size_t len);
rag_str rag_str_cut(rag_str s, size_t start, size_t end); /* clamped */
bool rag_str_eq(rag_str a, rag_str b);
bool rag_str_eqz(rag_str a, const char *b);
bool rag_str_ieqz(rag_str a, const char *b); /* ASCII case folded */
bool rag_str_starts(rag_str s, const char *prefix);
bool rag_str_ends(rag_str s, const char *suffix);
bool rag_str_iends(rag_str s, const char *suffix);
int rag_str_cmp(rag_str a, rag_str b); /* by bytes, as memcmp then length */
rag_str rag_str_trim(rag_str s);       /* ASCII white space */

/* Offset of the first match, or SIZE_MAX. */
size_t rag_str_find(rag_str hay, rag_str needle);
size_t rag_str_find_char(rag_str hay, char c);

/* Takes the text up to the next '\n' off the front of *rest (without the
 * '\n'; a '\r' before it stays). false when *rest is empty. */
bool rag_str_next_line(rag_str *line, rag_str *rest);

/* The second half of a word that a hyphen breaks over a line ("docu-", white
 * space, "mentation"): its offset when a line end and then a small letter
 * follow at `at`, behind the hyphen; else 0. */
size_t rag_str_after_break(rag_str s, size_t at);

/* Strict whole-string numbers: digits only (and one '-' for i64), in range. */
bool rag_str_u64(uint64_t *out, rag_str s);
bool rag_str_i64(int64_t *out, rag_str s);
bool rag_str_double(double *out, rag_str s); /* C locale, finite */

#endif /* RAG_BASE_STR_H */

#ifndef RAG_BASE_JSON_H
#define RAG_BASE_JSON_H

/*
 * json — the only user of cJSON: reading with caps and typed getters, and
 * writing through a small stack machine with a sticky error.
 *
 * Reading: text must be valid UTF-8 without NUL bytes and without an escaped
 * NUL (cJSON would cut there); keys are case-sensitive.
 * Writing: strings are scrubbed to valid UTF-8; numbers that are not finite
 * become null; integers beyond 2^53 are written exactly.
 *
 * Owns:    a rag_json root from rag_json_parse() until rag_json_free();
 *          children and strings are borrowed from it.
 * Errors:  RAG_E_FORMAT, RAG_E_LIMIT, RAG_E_NOMEM.
 * Threads: one object per thread.
 */

#include "base/buf.h"

typedef struct rag_json rag_json;

/* text: at most max_bytes, else RAG_E_LIMIT. what names it in messages. */
RAG_NODISCARD rag_status rag_json_parse(rag_json **out, rag_str text,
                                        size_t max_bytes, const char *what,
                                        rag_error *err);
void rag_json_free(rag_json *root);

/* All accept NULL and wrong types: they say "not there". */
const rag_json *rag_json_get(const rag_json *obj, const char *key);
size_t rag_json_count(const rag_json *array_or_obj);
const rag_json *rag_json_first(const rag_json *array_or_obj);
const rag_json *rag_json_next(const rag_json *item);
rag_str rag_json_key(const rag_json *item); /* its name in an object */
bool rag_json_is_null(const rag_json *v);   /* NULL counts */
bool rag_json_is_obj(const rag_json *v);
bool rag_json_is_array(const rag_json *v);
bool rag_json_str(rag_str *out, const rag_json *v);
bool rag_json_num(double *out, const rag_json *v);
bool rag_json_i64(int64_t *out, const rag_json *v); /* whole, |v| <= 2^53 */
bool rag_json_bool(bool *out, const rag_json *v);
/* Shorthands: the string at obj.key, or an empty one / the number or def. */
rag_str rag_json_get_str(const rag_json *obj, const char *key);
double rag_json_get_num(const rag_json *obj, const char *key, double def);

/* The writer. begin/end must nest; in an object every value follows a key. */
typedef struct rag_jw rag_jw;

rag_jw *rag_jw_new(void); /* NULL: out of memory */
void rag_jw_free(rag_jw *w);
void rag_jw_obj(rag_jw *w, const char *key);   /* key NULL inside arrays */
void rag_jw_array(rag_jw *w, const char *key); /* and for the root */
void rag_jw_end(rag_jw *w);
void rag_jw_str(rag_jw *w, const char *key, rag_str s);
void rag_jw_strz(rag_jw *w, const char *key, const char *s); /* NULL: null */
void rag_jw_int(rag_jw *w, const char *key, int64_t v);
void rag_jw_num(rag_jw *w, const char *key, double v, int decimals);
void rag_jw_bool(rag_jw *w, const char *key, bool v);
void rag_jw_null(rag_jw *w, const char *key);
/* v as %.9g each, the shortest that keeps every float32. */
void rag_jw_floats(rag_jw *w, const char *key, const float *v, size_t n);
/* Appends the document, unformatted on one line or indented, without a final
 * newline, and empties the writer for the next one. */
RAG_NODISCARD rag_status rag_jw_finish(rag_buf *out, rag_jw *w, bool pretty,
                                       rag_error *err);

#endif /* RAG_BASE_JSON_H */

#ifndef RAG_DOC_CHARSET_H
#define RAG_DOC_CHARSET_H

/*
 * charset — the bytes of a file become UTF-8 (uchardet and iconv inside).
 *
 * Order of belief: byte order mark; UTF-16/32 without one (where the zero
 * bytes lie); ISO-2022 escapes; valid UTF-8, also with a few stray bytes; what
 * the document declares; what its bytes look like.
 *
 * The text keeps every line of the file: a byte order mark stays as U+FEFF at
 * offset 0, CRLF stays CRLF. A UTF-8 file without faults is its text byte for
 * byte, read straight into the buffer: it is never held twice. What cannot be
 * decoded, and NUL, becomes U+FFFD and is counted.
 *
 * Errors:  RAG_E_LIMIT, RAG_E_IO, RAG_E_NOMEM, RAG_E_CANCELLED,
 *          RAG_E_UNSUPPORTED (the bytes are no text after all).
 * Threads: safe to share.
 */

#include "doc/reader.h"

#define RAG_CHARSET_NAME_BYTES 32

/* Names that iconv knows; "UTF-8" when nothing speaks against it. declared:
 * the document's own word (a charset label), or NULL. */
void rag_charset_detect(char out[RAG_CHARSET_NAME_BYTES], rag_str sample,
                        const char *declared);

/* The iconv name of a label as found in HTML ("ks_c_5601-1987": CP949);
 * false when iconv does not know it. */
bool rag_charset_of_label(char out[RAG_CHARSET_NAME_BYTES], rag_str label);

/* Reads the whole of src into b->text, with warnings and meta "charset" (when
 * it is not UTF-8). what names the kind in the message about max_bytes. */
RAG_NODISCARD rag_status rag_charset_read(rag_builder *b, const rag_source *src,
                                          size_t max_bytes, const char *what,
                                          const char *declared, rag_error *err);

/* Makes the buffer valid UTF-8 without NUL, in place; counts ill-formed parts
 * and NULs. */
void rag_charset_mend(rag_buf *text, size_t *n_bad, size_t *n_nul);

/* Length of the byte order mark (U+FEFF) at the front of UTF-8 text: 3 or 0. */
size_t rag_charset_bom(rag_str text);

/* For sniffing: would these first bytes of a file be text in some encoding?
 * NULs, control characters and their share decide. */
bool rag_charset_is_text(rag_str head);

#endif /* RAG_DOC_CHARSET_H */

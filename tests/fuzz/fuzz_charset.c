/* Bytes to UTF-8, through the plain-text reader and its sniffing; what comes
 * out is read again and must stay as it is. */
#include "reading.h"

#include "doc/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n_bad;
    size_t n_nul;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 24);
    rag_buf_add(&b, data, size);
    rag_charset_mend(&b, &n_bad, &n_nul);
    if (b.failed != RAG_OK || !rag_utf8_valid(rag_buf_str(&b)))
        abort();
    rag_charset_mend(&b, &n_bad, &n_nul);
    if (n_bad != 0 || n_nul != 0)
        abort();
    rag_buf_dispose(&b);
    return read_as(NULL, "fuzz.txt", data, size);
}

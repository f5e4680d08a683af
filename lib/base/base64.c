#include "base/base64.h"

#include <nettle/base64.h>

void rag_base64_add(rag_buf *out, rag_str bytes)
{
    size_t n = BASE64_ENCODE_RAW_LENGTH(bytes.len);
    char *to = rag_buf_reserve(out, n);

    if (to == NULL || bytes.len == 0)
        return;
    base64_encode_raw(to, bytes.len, (const uint8_t *)bytes.ptr);
    rag_buf_wrote(out, n);
}

rag_status rag_base64_decode(rag_buf *out, rag_str text, rag_error *err)
{
    struct base64_decode_ctx ctx;
    size_t n = BASE64_DECODE_LENGTH(text.len);
    char *to = rag_buf_reserve(out, n + 1);

    if (to == NULL)
        return rag_buf_status(out, err);
    base64_decode_init(&ctx);
    if (text.len != 0 &&
        (!base64_decode_update(&ctx, &n, (uint8_t *)to, text.len, text.ptr) ||
         !base64_decode_final(&ctx)))
        return rag_fail(err, RAG_E_FORMAT, "'%.*s' is not base64",
                        (int)(text.len < 80 ? text.len : 80), text.ptr);
    rag_buf_wrote(out, text.len == 0 ? 0 : n);
    return RAG_OK;
}

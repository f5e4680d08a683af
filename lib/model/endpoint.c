#include "model/endpoint.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/url.h"

const rag_endpoint rag_endpoint_openai = {.url = "https://api.openai.com/v1",
                                          .floor = "/v1"};
/* its own API lies at the root, beside the two that people have in their
 * settings of other programs */
const rag_endpoint rag_endpoint_ollama = {.url = "http://127.0.0.1:11434",
                                          .port = 11434,
                                          .floor = "",
                                          .strip = {"/api", "/v1"}};

rag_status rag_endpoint_url(char **out, const rag_endpoint *ep,
                            const char *setting, rag_error *err)
{
    char *url = NULL;
    rag_url parts;
    rag_buf b;
    rag_status st;

    *out = NULL;
    rag_buf_init(&b, RAG_URL_MAX_BYTES + 64);
    if (setting == NULL || setting[0] == '\0')
        setting = ep->url;
    TRY(rag_url_normalise(&url, setting, ep->port, err));
    TRY(rag_url_parse(&parts, url, err));
    rag_buf_addz(&b, url);
    for (size_t i = 0; i < 2; i++)
        if (ep->strip[i] != NULL && rag_str_ends(parts.path, ep->strip[i]))
            rag_buf_trunc(&b, b.len - strlen(ep->strip[i]));
    if (parts.path.len == 0)
        rag_buf_addz(&b, ep->floor);
    TRY(rag_buf_status(&b, err));
    *out = rag_buf_take(&b, NULL);
    st = *out != NULL ? RAG_OK : rag_fail_nomem(err);
out:
    rag_free(url);
    rag_buf_dispose(&b);
    return st;
}

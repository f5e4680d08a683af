/* Servers say in many ways that a prompt is too long; the caller needs one. */
#include <string.h>

#include "model/chat_priv.h"
#include "net/errtext.h"

/* Numbers that stand before "token": the smallest is the context, the largest
 * the prompt ("maximum context length is 8192 tokens ... resulted in 9000
 * tokens"). */
static void numbers(rag_chat_result *r, rag_str s)
{
    size_t i = 0;

    while (i < s.len) {
        size_t start = i;
        uint64_t n;
        rag_str rest;

        while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
            i++;
        if (i == start) {
            i++;
            continue;
        }
        rest = rag_str_trim(rag_str_cut(s, i, s.len));
        if (!rag_str_starts(rest, "token") ||
            !rag_str_u64(&n, rag_str_cut(s, start, i)) || n > INT32_MAX)
            continue;
        if (r->context_tokens < 0 || (int64_t)n < r->context_tokens)
            r->context_tokens = (int64_t)n;
        if ((int64_t)n > r->prompt_tokens)
            r->prompt_tokens = (int64_t)n;
    }
    if (r->prompt_tokens == r->context_tokens) /* only one was told */
        r->prompt_tokens = -1;
}

static bool is_overflow(const rag_json *e, const char *shown)
{
    static const char *const words[] = {
        "context length",  "context size",    "context window",
        "maximum context", "too many tokens", "prompt is too long"};

    if (rag_str_eqz(rag_json_get_str(e, "type"), "exceed_context_size_error") ||
        rag_str_eqz(rag_json_get_str(e, "code"), "context_length_exceeded"))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(shown, words[i]) != NULL)
            return true;
    return false;
}

rag_status rag_chat_overflow(rag_chat_result *r, const rag_chat *c,
                             const rag_json *root, rag_error *err)
{
    const rag_json *e = rag_json_get(root, "error");
    char shown[RAG_ERRTEXT_MAX_BYTES + 8];
    const char *host = rag_http_host(c->http);
    int64_t n;

    if (!rag_json_is_obj(e))
        e = root;
    rag_errtext_show(shown, rag_errtext_find(root), rag_str_n("", 0));
    if (!is_overflow(e, shown))
        return RAG_OK;
    r->prompt_tokens = r->context_tokens = -1;
    numbers(r, rag_errtext_find(root));
    if (rag_json_i64(&n, rag_json_get(e, "n_prompt_tokens")) && n > 0)
        r->prompt_tokens = n;
    if (rag_json_i64(&n, rag_json_get(e, "n_ctx")) && n > 0)
        r->context_tokens = n;
    if (r->prompt_tokens > 0 && r->context_tokens > 0)
        return rag_fail(err, RAG_E_LIMIT,
                        "%s: the prompt of %lld tokens is over the context of "
                        "%s (%lld): lower chat.context_tokens",
                        host, (long long)r->prompt_tokens, c->o.model,
                        (long long)r->context_tokens);
    return rag_fail(err, RAG_E_LIMIT,
                    "%s: the prompt is over the context of %s (%s): lower "
                    "chat.context_tokens",
                    host, c->o.model, shown);
}

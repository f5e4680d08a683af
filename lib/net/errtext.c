#include "net/errtext.h"

#include <string.h>

#include "base/utf8.h"

rag_str rag_errtext_find(const rag_json *root)
{
    static const char *const keys[] = {"message", "detail", "error"};
    const rag_json *e = rag_json_get(root, "error");
    rag_str s = {"", 0};

    if (rag_json_str(&s, e))
        return s;
    s = rag_json_get_str(e, "message");
    for (size_t i = 0; s.len == 0 && i < sizeof keys / sizeof *keys; i++)
        s = rag_json_get_str(root, keys[i]);
    return s;
}

/* A proxy's error page: its title says more than its first line. */
static rag_str html_title(rag_str body)
{
    size_t from = rag_str_find(body, RAG_STR_LIT("<title>"));
    rag_str rest;
    size_t end;

    if (from == SIZE_MAX)
        return rag_str_starts(rag_str_trim(body), "<")
                   ? RAG_STR_LIT("an HTML page")
                   : body;
    rest = rag_str_cut(body, from + strlen("<title>"), body.len);
    end = rag_str_find_char(rest, '<');
    return rag_str_cut(rest, 0, end);
}

static void add_without(rag_buf *b, rag_str s, rag_str secret)
{
    size_t at;

    while (secret.len != 0 && (at = rag_str_find(s, secret)) != SIZE_MAX) {
        rag_buf_adds(b, rag_str_cut(s, 0, at));
        rag_buf_addz(b, "***");
        s = rag_str_cut(s, at + secret.len, s.len);
    }
    rag_buf_adds(b, s);
}

void rag_errtext_show(char *out, rag_str body, rag_str secret)
{
    rag_json *root = NULL;
    rag_str text = {"", 0};
    rag_str line = {"", 0};
    rag_buf clean;
    rag_buf shown;

    out[0] = '\0';
    rag_buf_init(&clean, 2 * RAG_ERRTEXT_MAX_BODY);
    rag_buf_init(&shown, 16 * RAG_ERRTEXT_MAX_BODY);
    if (rag_json_parse(&root, body, RAG_ERRTEXT_MAX_BODY, "error reply",
                       NULL) == RAG_OK)
        text = rag_errtext_find(root);
    if (text.len == 0)
        text = html_title(body);
    add_without(&clean, text, secret);
    text = rag_str_trim(rag_buf_str(&clean));
    (void)rag_str_next_line(&line, &text);
    rag_utf8_show(&shown, rag_str_trim(rag_str_cut(line, 0, 1024)), false);
    if (shown.failed == RAG_OK && shown.len != 0) {
        rag_str s = rag_buf_str(&shown);
        size_t n = s.len;

        if (n > RAG_ERRTEXT_MAX_BYTES)
            n = rag_utf8_floor(s, RAG_ERRTEXT_MAX_BYTES);
        memcpy(out, s.ptr, n);
        memcpy(out + n, n < s.len ? "..." : "", n < s.len ? 4 : 1);
    }
    rag_json_free(root);
    rag_buf_dispose(&clean);
    rag_buf_dispose(&shown);
}

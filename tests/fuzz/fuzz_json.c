/* Parses, walks through everything with every getter, and looks for the
 * message that an error reply may hold. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "net/errtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const rag_json *v, int depth)
{
    rag_str s = {"", 0};
    int64_t i = 0;
    double d = 0;
    bool b = false;
    size_t n = 0;

    if (depth > 2000) /* the parser's own limit is lower */
        abort();
    if (rag_json_str(&s, v) && !rag_utf8_valid(s))
        abort();
    if (rag_json_i64(&i, v) && (!rag_json_num(&d, v) || d != (double)i))
        abort();
    if (rag_json_bool(&b, v) && rag_json_num(&d, v))
        abort();
    for (const rag_json *c = rag_json_first(v); c != NULL;
         c = rag_json_next(c)) {
        s = rag_json_key(c);
        if (rag_json_is_obj(v) && s.ptr != NULL &&
            rag_json_get(v, s.ptr) == NULL)
            abort();
        walk(c, depth + 1);
        n++;
    }
    if (n != rag_json_count(v))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_str text = rag_str_n((const char *)data, size);
    char shown[RAG_ERRTEXT_MAX_BYTES + 8];
    rag_json *root = NULL;
    rag_str s;

    if (rag_json_parse(&root, text, (size_t)1 << 20, "input", NULL) == RAG_OK) {
        walk(root, 0);
        (void)rag_errtext_find(root);
        (void)rag_json_get_num(root, "a", 0);
        rag_json_free(root);
    }
    rag_errtext_show(shown, text, RAG_STR_LIT("sk"));
    s = rag_str_of(shown);
    if (!rag_utf8_valid(s) || s.len > RAG_ERRTEXT_MAX_BYTES + 3)
        abort();
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7F)
            abort();
    return 0;
}

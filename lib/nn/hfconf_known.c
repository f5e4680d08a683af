#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "nn/hfconf.h"

typedef struct family {
    const char *name;   /* lower case, in the model's name */
    const char *unless; /* NULL, or a part that makes it another one */
    rag_source_pooling pooling;
    const char *query;
    const char *passage;
} family;

static const family families[] = {
    {"reranker", NULL, RAG_POOL_CLS, "", ""},
    {"e5-tiny", NULL, RAG_POOL_MEAN, "query: ", "passage: "},
    {"e5-small", NULL, RAG_POOL_MEAN, "query: ", "passage: "},
    {"e5-base", NULL, RAG_POOL_MEAN, "query: ", "passage: "},
    {"e5-large", "instruct", RAG_POOL_MEAN, "query: ", "passage: "},
    {"bge-m3", NULL, RAG_POOL_CLS, "", ""},
    {"bge-", "-zh", RAG_POOL_CLS,
     "Represent this sentence for searching relevant passages: ", ""},
    {"arctic-embed", "v2", RAG_POOL_CLS,
     "Represent this sentence for searching relevant passages: ", ""},
    {"arctic-embed", NULL, RAG_POOL_CLS, "query: ", ""},
    {"minilm", NULL, RAG_POOL_MEAN, "", ""},
    {"gte-modernbert", NULL, RAG_POOL_CLS, "", ""},
    {"gte-", NULL, RAG_POOL_MEAN, "", ""},
    {"modernbert-embed", NULL, RAG_POOL_MEAN,
     "search_query: ", "search_document: "},
    {"mxbai-embed-large", NULL, RAG_POOL_CLS,
     "Represent this sentence for searching relevant passages: ", ""},
    {"mxbai-embed-xsmall", NULL, RAG_POOL_MEAN,
     "Represent this sentence for searching relevant passages: ", ""},
    {"granite-embedding", NULL, RAG_POOL_CLS, "", ""},
    {"bekko-embedding", NULL, RAG_POOL_MEAN, "", ""},
};

/* ASCII case folded; '_' and ' ' count as '-' ("Multilingual E5 Small"). part
 * is in lower case. */
static bool name_has(rag_str text, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= text.len; i++) {
        size_t k = 0;

        for (; k < n; k++) {
            char c = text.ptr[i + k];

            if (c >= 'A' && c <= 'Z')
                c = (char)(c + ('a' - 'A'));
            if ((c == '_' || c == ' ' ? '-' : c) != part[k])
                break;
        }
        if (k == n)
            return true;
    }
    return false;
}

static void set(char to[RAG_SOURCE_MAX_TEXT], const char *text)
{
    memset(to, 0, RAG_SOURCE_MAX_TEXT);
    memcpy(to, text, strlen(text));
}

void rag_hfconf_known(rag_source *s, const rag_hfconf *c, rag_str text)
{
    if (s->head != RAG_HEAD_NONE)
        return;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const family *f = &families[i];

        if (!name_has(text, f->name) ||
            (f->unless != NULL && name_has(text, f->unless)))
            continue;
        if (!c->has_pooling)
            s->pooling = f->pooling;
        if (!c->has_prompts) {
            set(s->query_prefix, f->query);
            set(s->passage_prefix, f->passage);
        }
        return;
    }
}

rag_status rag_hfconf_known_path(rag_source *s, const rag_hfconf *c,
                                 const char *path, rag_error *err)
{
    char *real = NULL;
    rag_status st;

    TRY(rag_file_real(&real, path, err));
    rag_hfconf_known(s, c, rag_str_of(rag_file_base(real)));
out:
    rag_free(real);
    return st;
}

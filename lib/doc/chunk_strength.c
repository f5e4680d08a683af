#include "chunk_priv.h"

#include <string.h>

/* Kinds of a line's first byte; a log's lines begin alike. */
static unsigned opening(char c)
{
    if (rag_chunk_is_blank(c))
        return 1;
    if (c >= '0' && c <= '9')
        return 2;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (unsigned char)c >= 0x80)
        return 3;
    return 4;
}

unsigned rag_chunk_line_strength(const rag_doc *doc, size_t line, size_t next,
                                 bool ended)
{
    unsigned kind = opening(doc->text[next]);

    if (kind == 1)
        return ended ? RAG_CUT_SENT : RAG_CUT_LINE;
    if (ended)
        return RAG_CUT_SUBITEM;
    if (kind != 3 && opening(doc->text[line]) == kind)
        return RAG_CUT_SUBITEM;
    return RAG_CUT_WRAP;
}

/* Does the line around `at` look like code, whose inner full stops are no
 * sentence ends? */
static bool is_code_line(const rag_doc *doc, size_t from, size_t to, size_t at)
{
    const char *text = doc->text;
    size_t lo = at - from > 200 ? at - 200 : from;
    size_t hi = to - at > 200 ? at + 200 : to;
    const char *nl = memrchr(text + lo, '\n', at - lo);
    const char *first = nl != NULL ? nl + 1 : text + lo;
    const char *last = memchr(text + at, '\n', hi - at);

    if (last == NULL)
        last = text + hi;
    while (first < last && rag_chunk_is_blank(*first))
        first++;
    while (last > first && rag_chunk_is_blank(last[-1]))
        last--;
    if (first == last)
        return false;
    return strchr("#/{}<@", *first) != NULL ||
           strchr(";{}(\\=", last[-1]) != NULL ||
           (last - first > 1 && first[0] == '*' && first[1] == ' ');
}

unsigned rag_chunk_sentence_strength(size_t *pos, const rag_doc *doc,
                                     size_t from, size_t to, size_t sentence,
                                     size_t end, size_t next, bool plain)
{
    size_t n_lines = 0;

    *pos = next;
    for (size_t i = end; i < next; i++)
        if (doc->text[i] == '\n') {
            n_lines++;
            *pos = i + 1;
        }
    if (n_lines > 1)
        return plain ? RAG_CUT_BLOCK : RAG_CUT_SUBITEM;
    if (!plain)
        return RAG_CUT_SENT;
    if (n_lines == 1)
        return rag_chunk_line_strength(doc, sentence, *pos, true);
    return is_code_line(doc, from, to, end) ? RAG_CUT_WRAP : RAG_CUT_SENT;
}

/* Does the text before `end` introduce what follows ("as follows:")? */
static bool leads_on(const rag_doc *doc, size_t start, size_t end)
{
    while (end > start &&
           (rag_chunk_is_blank(doc->text[end - 1]) ||
            doc->text[end - 1] == '*' || doc->text[end - 1] == '_'))
        end--;
    return end > start &&
           (doc->text[end - 1] == ':' ||
            (end - start >= 3 && memcmp(doc->text + end - 3, "：", 3) == 0));
}

bool rag_chunk_block_strength(unsigned *strength, const rag_doc *doc,
                              const rag_block *prev, const rag_block *b)
{
    bool led =
        prev->kind == RAG_BLOCK_PARA && leads_on(doc, prev->start, prev->end);

    switch (b->kind) {
    case RAG_BLOCK_PARA:
        *strength = RAG_CUT_BLOCK;
        return true;
    case RAG_BLOCK_ITEM:
        *strength = b->level > 1 ? RAG_CUT_SUBITEM : RAG_CUT_ITEM;
        break;
    case RAG_BLOCK_TABLE_ROW:
        *strength = RAG_CUT_ITEM;
        return prev->kind != RAG_BLOCK_TABLE_HEAD;
    case RAG_BLOCK_CODE:
        *strength = RAG_CUT_SUBITEM;
        break;
    case RAG_BLOCK_TABLE_HEAD:
        *strength = RAG_CUT_ITEM;
        break;
    case RAG_BLOCK_HEADING:
    case RAG_BLOCK_META:
    default:
        *strength = RAG_CUT_BLOCK;
        break;
    }
    if (led)
        *strength = RAG_CUT_WRAP;
    return true;
}

#include "doc/chunk.h"

#include <string.h>

#include "base/utf8.h"

/* The texts that are made of a chunk. Everything copied more than once (the
 * breadcrumb, the names of columns) has a cap, so that no document can blow
 * its chunks up. */

/* a title or heading in the breadcrumb; longer ones are cut */
#define CRUMB_BYTES 240u
/* a column's name beside a value */
#define NAME_BYTES 80u
/* columns that have names; further values stand without */
#define MAX_COLUMNS 512u

/* Appends s with every run of white space as one space, up to max_bytes. */
static void add_flat(rag_buf *out, rag_str s, size_t max_bytes)
{
    bool space = false;
    bool any = false;

    if (s.len > max_bytes)
        s.len = rag_utf8_grapheme_floor(s, max_bytes);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            space = any;
            continue;
        }
        if (space)
            rag_buf_addc(out, ' ');
        space = false;
        any = true;
        rag_buf_addc(out, c);
    }
}

void rag_chunk_breadcrumb(rag_buf *out, const rag_chunk_parts *parts)
{
    rag_str title = rag_str_trim(parts->title);
    bool any = title.len != 0;

    add_flat(out, title, CRUMB_BYTES);
    for (size_t i = 0; i < parts->n_headings; i++) {
        rag_str h = rag_str_trim(parts->headings[i]);

        /* a title is often the first heading too */
        if (h.len == 0 || (i == 0 && rag_str_eq(h, title)))
            continue;
        if (any)
            rag_buf_addz(out, " > ");
        add_flat(out, h, CRUMB_BYTES);
        any = true;
    }
}

/* ---- record tables ---- */

/* The sign between the columns: the most frequent one of the header. */
static char delimiter_of(rag_doc_type type, rag_str header)
{
    static const char signs[] = ",;\t|";
    size_t count[4] = {0};
    size_t best = 0;
    bool quoted = false;

    if (type == RAG_DOC_TSV)
        return '\t';
    for (size_t i = 0; i < header.len; i++) {
        const char *sign;

        if (header.ptr[i] == '"')
            quoted = !quoted;
        if (quoted || header.ptr[i] == '\0')
            continue;
        sign = strchr(signs, header.ptr[i]);
        if (sign != NULL)
            count[sign - signs]++;
    }
    for (size_t i = 1; i < 4; i++)
        if (count[i] > count[best])
            best = i;
    return signs[best];
}

/* Takes the next field off *rest; *last: it ends its row. false when nothing
 * is left. The quotes around a field are taken off, doubled ones inside stay.
 */
static bool next_field(rag_str *field, bool *last, rag_str *rest, char sign)
{
    size_t i = 0;
    bool quoted;

    if (rest->len == 0)
        return false;
    quoted = rest->ptr[0] == '"';
    for (bool inside = quoted; i < rest->len; i++) {
        char c = rest->ptr[i];

        if (quoted && c == '"' && i != 0)
            inside = !inside;
        else if (!inside && (c == sign || c == '\n'))
            break;
    }
    *field = rag_str_trim(rag_str_cut(*rest, 0, i));
    *last = i >= rest->len || rest->ptr[i] == '\n';
    *rest = rag_str_cut(*rest, i < rest->len ? i + 1 : i, rest->len);
    if (quoted && field->len >= 2 && field->ptr[field->len - 1] == '"')
        *field = rag_str_cut(*field, 1, field->len - 1);
    return true;
}

/* Appends a value on one line; doubled quotes become one. */
static void add_value(rag_buf *out, rag_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c == '"' && i + 1 < value.len && value.ptr[i + 1] == '"')
            i++;
        rag_buf_addc(out, c == '\n' || c == '\r' ? ' ' : c);
    }
}

static void add_rows(rag_buf *out, const rag_chunk_parts *parts)
{
    rag_str names[MAX_COLUMNS];
    size_t n_names = 0;
    char sign = delimiter_of(parts->type, parts->context);
    rag_str rest = parts->context;
    bool last = false;
    bool first = true;
    size_t column = 0;

    while (n_names < MAX_COLUMNS && !last &&
           next_field(&names[n_names], &last, &rest, sign))
        n_names++;
    rest = parts->body;
    for (rag_str field; next_field(&field, &last, &rest, sign); column++) {
        if (field.len != 0) {
            if (!first)
                rag_buf_addz(out, "; ");
            first = false;
            if (column < n_names && names[column].len != 0) {
                add_flat(out, names[column], NAME_BYTES);
                rag_buf_addz(out, ": ");
            }
            add_value(out, field);
        }
        if (last && rest.len != 0) {
            if (!first)
                rag_buf_addc(out, '\n');
            first = true;
            column = SIZE_MAX; /* the next one is 0 */
        }
    }
}

void rag_chunk_body(rag_buf *out, const rag_chunk_parts *parts)
{
    bool record = parts->type == RAG_DOC_CSV || parts->type == RAG_DOC_TSV;

    if (parts->context.len != 0 && record) {
        add_rows(out, parts);
        return;
    }
    if (parts->context.len != 0) {
        rag_buf_adds(out, parts->context);
        rag_buf_addc(out, '\n');
    }
    rag_buf_adds(out, parts->body);
}

void rag_chunk_input(rag_buf *out, const rag_chunk_parts *parts)
{
    size_t before = out->len;

    rag_chunk_breadcrumb(out, parts);
    if (out->len != before)
        rag_buf_addc(out, '\n');
    rag_chunk_body(out, parts);
}

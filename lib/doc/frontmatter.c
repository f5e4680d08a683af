#include "doc/frontmatter.h"

#include <string.h>

static bool blank(rag_str line)
{
    return rag_str_trim(line).len == 0;
}

static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
           (unsigned char)c >= 0x80;
}

/* "key: value" or "key = value" at the left margin. */
static bool split_pair(rag_str *key, rag_str *value, rag_str line, char sep)
{
    size_t at = 0;
    size_t end;

    while (at < line.len &&
           (is_key_byte(line.ptr[at]) || (at != 0 && line.ptr[at] == ' ')))
        at++;
    if (at == 0 || at == line.len || line.ptr[at] != sep)
        return false;
    end = at + 1;
    if (sep == ':' && end < line.len && line.ptr[end] != ' ' &&
        line.ptr[end] != '\t' && line.ptr[end] != '\r')
        return false; /* "http://..." is no pair */
    *key = rag_str_trim(rag_str_cut(line, 0, at));
    *value = rag_str_trim(rag_str_cut(line, end, line.len));
    return key->len != 0;
}

/* May this line stand inside front matter? */
static bool line_fits(rag_str line, char sep, bool *pair)
{
    rag_str key;
    rag_str value;

    if (blank(line) || line.ptr[0] == '#' || line.ptr[0] == ' ' ||
        line.ptr[0] == '\t' || line.ptr[0] == '-' || line.ptr[0] == '[' ||
        line.ptr[0] == ']' || line.ptr[0] == '}')
        return true;
    if (!split_pair(&key, &value, line, sep))
        return false;
    *pair = true;
    return true;
}

size_t rag_frontmatter_len(rag_str text)
{
    rag_str rest = rag_str_cut(text, 0, RAG_FRONTMATTER_MAX_BYTES);
    const char *whole = rest.ptr;
    rag_str line;
    bool toml = rag_str_starts(text, "+++");
    bool pair = false;

    if (!rag_str_next_line(&line, &rest))
        return 0;
    if (!rag_str_eqz(rag_str_trim(line), toml ? "+++" : "---") ||
        line.ptr[0] == ' ')
        return 0;
    while (rag_str_next_line(&line, &rest)) {
        rag_str bare = rag_str_trim(line);

        if (line.len != 0 && line.ptr[0] != ' ' &&
            (rag_str_eqz(bare, toml ? "+++" : "---") ||
             (!toml && rag_str_eqz(bare, "..."))))
            return pair ? (size_t)(rest.ptr - whole) : 0;
        if (!line_fits(line, toml ? '=' : ':', &pair))
            return 0;
    }
    return 0;
}

/* Without quotes or the brackets of a one-line list. */
static rag_str bare_value(rag_str v)
{
    char a = v.len >= 2 ? v.ptr[0] : '\0';
    char z = v.len >= 2 ? v.ptr[v.len - 1] : '\0';

    if ((a == '"' && z == '"') || (a == '\'' && z == '\'') ||
        (a == '[' && z == ']'))
        return rag_str_trim(rag_str_cut(v, 1, v.len - 1));
    return v;
}

static void give(rag_builder *b, rag_str key, const rag_buf *value)
{
    rag_str v = bare_value(rag_str_trim(rag_buf_str(value)));

    if (key.len == 0)
        return;
    if (rag_str_ieqz(key, "title"))
        rag_builder_title(b, v);
    rag_builder_meta(b, key, v);
}

/* A line that goes on with the value above: an item or folded text. */
static void add_more(rag_buf *value, rag_str line)
{
    rag_str bare = rag_str_trim(line);
    bool item = rag_str_starts(bare, "- ");

    if (bare.len == 0 || bare.ptr[0] == '#')
        return;
    if (value->len != 0)
        rag_buf_addz(value, item ? ", " : " ");
    rag_buf_adds(value,
                 item ? bare_value(rag_str_trim(rag_str_cut(bare, 2, bare.len)))
                      : bare);
}

void rag_frontmatter_read(rag_builder *b, rag_str matter)
{
    bool toml = rag_str_starts(matter, "+++");
    rag_str key = {NULL, 0};
    rag_buf value;
    rag_str line;

    rag_buf_init(&value, RAG_FRONTMATTER_MAX_BYTES * 2);
    (void)rag_str_next_line(&line, &matter); /* the opening fence */
    while (rag_str_next_line(&line, &matter)) {
        rag_str k;
        rag_str v;

        if (rag_str_starts(line, "---") || rag_str_starts(line, "...") ||
            rag_str_starts(line, "+++"))
            break;
        if (toml && rag_str_starts(line, "[")) {
            give(b, key, &value); /* a table: what follows is nested */
            key.len = 0;
            rag_buf_clear(&value);
            continue;
        }
        if (!split_pair(&k, &v, line, toml ? '=' : ':')) {
            add_more(&value, line);
            continue;
        }
        give(b, key, &value);
        key = k;
        rag_buf_clear(&value);
        /* marks of folded and literal text are no part of it */
        if (v.len > 2 || v.len == 0 || strchr(">|", v.ptr[0]) == NULL)
            rag_buf_adds(&value, v);
    }
    give(b, key, &value);
    if (value.failed == RAG_E_NOMEM && b->failed == RAG_OK)
        b->failed = RAG_E_NOMEM;
    rag_buf_dispose(&value);
}

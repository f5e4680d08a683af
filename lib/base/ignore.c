#include "base/ignore.h"

#include "base/glob.h"
#include "base/mem.h"

typedef struct rule {
    char *text; /* folder, then pattern */
    size_t folder_len;
    size_t pattern_len;
    bool take_back;
    bool dirs_only;
    bool anchored;
} rule;

struct rag_ignore {
    rule *rules;
    size_t n;
    size_t cap;
};

rag_ignore *rag_ignore_new(void)
{
    return rag_calloc(1, sizeof(rag_ignore));
}

void rag_ignore_free(rag_ignore *g)
{
    if (g == NULL)
        return;
    rag_ignore_cut(g, 0);
    rag_free(g->rules);
    rag_free(g);
}

size_t rag_ignore_count(const rag_ignore *g)
{
    return g->n;
}

void rag_ignore_cut(rag_ignore *g, size_t count)
{
    while (g->n > count)
        rag_free(g->rules[--g->n].text);
}

/* Parses a line into r (without text); *pat is the pattern. false: no rule. */
static bool parse(rule *r, rag_str *pat, rag_str line)
{
    rag_str p = line;

    if (p.len != 0 && p.ptr[p.len - 1] == '\r')
        p.len--;
    while (p.len != 0 && p.ptr[p.len - 1] == ' ' &&
           !(p.len > 1 && p.ptr[p.len - 2] == '\\'))
        p.len--;
    if (p.len == 0 || p.ptr[0] == '#')
        return false;
    *r = (rule){NULL, 0, 0, false, false, false};
    if (p.ptr[0] == '!') {
        r->take_back = true;
        p = rag_str_cut(p, 1, p.len);
    }
    if (p.len != 0 && p.ptr[p.len - 1] == '/') {
        r->dirs_only = true;
        p.len--;
    }
    r->anchored = rag_str_find_char(p, '/') != SIZE_MAX;
    if (p.len != 0 && p.ptr[0] == '/')
        p = rag_str_cut(p, 1, p.len);
    *pat = p;
    return p.len != 0;
}

rag_status rag_ignore_add(rag_ignore *g, rag_str folder, rag_str text,
                          rag_error *err)
{
    rag_str line;

    if (rag_str_starts(text, "\xEF\xBB\xBF"))
        text = rag_str_cut(text, 3, text.len); /* byte order mark */
    while (rag_str_next_line(&line, &text)) {
        rule r;
        rag_str pat;
        size_t n;

        if (!parse(&r, &pat, line))
            continue;
        if (!rag_mem_grow(&g->rules, &g->cap, g->n + 1, sizeof *g->rules) ||
            !rag_add_ok(&n, folder.len, pat.len))
            return rag_fail_nomem(err);
        r.text = rag_malloc(n + 1);
        if (r.text == NULL)
            return rag_fail_nomem(err);
        for (size_t i = 0; i < folder.len; i++)
            r.text[i] = folder.ptr[i];
        for (size_t i = 0; i < pat.len; i++)
            r.text[folder.len + i] = pat.ptr[i];
        r.text[n] = '\0';
        r.folder_len = folder.len;
        r.pattern_len = pat.len;
        g->rules[g->n++] = r;
    }
    return RAG_OK;
}

static bool hits(const rule *r, rag_str path, bool is_dir)
{
    rag_str folder = rag_str_n(r->text, r->folder_len);
    rag_str pat = rag_str_n(r->text + r->folder_len, r->pattern_len);

    if (r->dirs_only && !is_dir)
        return false;
    if (folder.len != 0) {
        if (path.len <= folder.len || path.ptr[folder.len] != '/' ||
            !rag_str_eq(rag_str_cut(path, 0, folder.len), folder))
            return false;
        path = rag_str_cut(path, folder.len + 1, path.len);
    }
    if (!r->anchored) {
        size_t slash = path.len;

        while (slash != 0 && path.ptr[slash - 1] != '/')
            slash--;
        path = rag_str_cut(path, slash, path.len);
    }
    return rag_glob_match(pat, path);
}

bool rag_ignore_hit(const rag_ignore *g, rag_str path, bool is_dir)
{
    for (size_t i = g->n; i-- > 0;)
        if (hits(&g->rules[i], path, is_dir))
            return !g->rules[i].take_back;
    return false;
}

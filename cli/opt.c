#include "opt.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* the column where the help text of an option begins */
#define HELP_COLUMN 28

static const opt *by_letter(const opt *table, char c)
{
    for (; table != NULL && table->name != NULL; table++)
        if (table->letter == c)
            return table;
    return NULL;
}

static const opt *by_name(const opt *table, rag_str name)
{
    for (; table != NULL && table->name != NULL; table++)
        if (rag_str_eqz(name, table->name))
            return table;
    return NULL;
}

static rag_status set(const opt *o, const char *value, rag_error *err)
{
    opt_list *l = o->value;
    rag_str s = rag_str_of(value);
    uint64_t u;

    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->value = true;
        return RAG_OK;
    case OPT_STR:
        *(const char **)o->value = value;
        return RAG_OK;
    case OPT_LIST:
        if (!rag_mem_grow(&l->items, &l->cap, l->n + 1, sizeof *l->items))
            return rag_fail_nomem(err);
        l->items[l->n++] = value;
        return RAG_OK;
    case OPT_SIZE:
        if (!rag_str_u64(&u, s) || u > 1000000000)
            return rag_fail(err, RAG_E_INVAL,
                            "--%s %s: a whole number expected", o->name, value);
        *(size_t *)o->value = (size_t)u;
        return RAG_OK;
    case OPT_COUNT:
        if (!rag_str_u64(&u, s) || u == 0 || u > 1000000000)
            return rag_fail(err, RAG_E_INVAL,
                            "--%s %s: a whole number from 1 on expected",
                            o->name, value);
        *(size_t *)o->value = (size_t)u;
        return RAG_OK;
    case OPT_NUM:
        if (!rag_str_double(o->value, s))
            return rag_fail(err, RAG_E_INVAL, "--%s %s: a number expected",
                            o->name, value);
        return RAG_OK;
    }
    return RAG_OK;
}

/* Edits between two words, for "did you mean": at most 3, else 99. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64];
    size_t n = strlen(b);

    if (n >= 63 || strlen(a) >= 63)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t up = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = up;
            row[j] = best;
        }
    }
    return row[n] <= 3 ? row[n] : 99;
}

const char *opt_nearest(const char *typed, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_d = strlen(typed) < 4 ? 2 : 3;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(typed, names[i]);

        /* a beginning is as good as a letter wrong */
        if (strlen(typed) >= 3 && strncmp(typed, names[i], strlen(typed)) == 0)
            d = 1;
        if (d < best_d) {
            best_d = d;
            best = names[i];
        }
    }
    return best;
}

static rag_status unknown(rag_str name, const opt *own, const opt *global,
                          rag_error *err)
{
    const char *names[128];
    const char *near;
    char typed[64];
    size_t n = 0;

    for (; own != NULL && own->name != NULL && n < 128; own++)
        names[n++] = own->name;
    for (; global != NULL && global->name != NULL && n < 128; global++)
        names[n++] = global->name;
    if (name.len >= sizeof typed)
        name.len = sizeof typed - 1;
    memcpy(typed, name.ptr, name.len);
    typed[name.len] = '\0';
    near = opt_nearest(typed, names, n);
    if (near != NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "unknown option --%s, did you mean --%s?", typed, near);
    return rag_fail(err, RAG_E_INVAL, "unknown option --%s (see --help)",
                    typed);
}

static rag_status long_opt(int *i, int argc, char **argv, const opt *own,
                           const opt *global, rag_error *err)
{
    rag_str word = rag_str_of(argv[*i] + 2);
    size_t eq = rag_str_find_char(word, '=');
    rag_str name = rag_str_cut(word, 0, eq);
    const opt *o = by_name(own, name);
    const char *value = NULL;

    if (o == NULL)
        o = by_name(global, name);
    if (o == NULL)
        return unknown(name, own, global, err);
    if (o->kind == OPT_FLAG) {
        if (eq != SIZE_MAX)
            return rag_fail(err, RAG_E_INVAL, "--%s takes no value", o->name);
    } else if (eq != SIZE_MAX) {
        value = word.ptr + eq + 1;
    } else if (*i + 1 < argc) {
        value = argv[++*i];
    } else {
        return rag_fail(err, RAG_E_INVAL, "--%s needs a value: --%s %s",
                        o->name, o->name, o->placeholder);
    }
    return set(o, value, err);
}

static rag_status short_opts(int *i, int argc, char **argv, const opt *own,
                             const opt *global, rag_error *err)
{
    for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
        const opt *o = by_letter(own, *p);
        const char *value = NULL;
        rag_status st;

        if (o == NULL)
            o = by_letter(global, *p);
        if (o == NULL)
            return rag_fail(err, RAG_E_INVAL, "unknown option -%c (see --help)",
                            *p);
        if (o->kind != OPT_FLAG) {
            if (p[1] != '\0')
                value = p + 1;
            else if (*i + 1 < argc)
                value = argv[++*i];
            else
                return rag_fail(err, RAG_E_INVAL, "-%c needs a value: -%c %s",
                                *p, *p, o->placeholder);
        }
        st = set(o, value, err);
        if (st != RAG_OK || o->kind != OPT_FLAG)
            return st;
    }
    return RAG_OK;
}

rag_status opt_parse(int *n_args, int argc, char **argv, const opt *own,
                     const opt *global, rag_error *err)
{
    bool options = true;

    *n_args = 0;
    for (int i = 1; i < argc; i++) {
        rag_status st = RAG_OK;

        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strncmp(argv[i], "--", 2) == 0)
            st = long_opt(&i, argc, argv, own, global, err);
        else if (options && argv[i][0] == '-' && argv[i][1] != '\0')
            st = short_opts(&i, argc, argv, own, global, err);
        else
            argv[(*n_args)++] = argv[i];
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

void opt_list_free(opt_list *l)
{
    rag_free(l->items);
    l->items = NULL;
    l->n = l->cap = 0;
}

void opt_help(rag_buf *out, const opt *table)
{
    for (; table != NULL && table->name != NULL; table++) {
        size_t start = out->len;
        size_t used;

        if (table->help == NULL)
            continue;
        rag_buf_addz(out, "  ");
        if (table->letter != 0)
            rag_buf_addf(out, "-%c, ", table->letter);
        else
            rag_buf_addz(out, "    ");
        rag_buf_addf(out, "--%s", table->name);
        if (table->placeholder != NULL)
            rag_buf_addf(out, " %s", table->placeholder);
        used = out->len - start;
        if (used + 2 > HELP_COLUMN) {
            rag_buf_addc(out, '\n');
            used = 0;
        }
        for (; used < HELP_COLUMN; used++)
            rag_buf_addc(out, ' ');
        rag_buf_addf(out, "%s\n", table->help);
    }
}

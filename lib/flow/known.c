#include "flow/known.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- which root does a path belong to ----------------------------------- */

void rag_known_dispose(rag_known *k)
{
    for (size_t i = 0; i < k->n; i++) {
        rag_free(k->list[i].path);
        rag_free(k->list[i].settings);
    }
    rag_free(k->list);
    *k = (rag_known){NULL, 0, 0};
}

static rag_status add_root(void *ctx, const rag_store_root *root,
                           rag_error *err)
{
    rag_known *k = ctx;
    rag_known_root *e;

    if (!rag_mem_grow(&k->list, &k->cap, k->n + 1, sizeof *k->list))
        return rag_fail_nomem(err);
    e = &k->list[k->n++];
    e->id = root->id;
    e->is_dir = root->is_dir;
    e->path = rag_strndup(root->path.ptr, root->path.len);
    e->settings = rag_strndup(root->settings.ptr, root->settings.len);
    if (e->path == NULL || e->settings == NULL)
        return rag_fail_nomem(err);
    return RAG_OK;
}

rag_status rag_known_load(rag_known *k, rag_store *s, rag_error *err)
{
    rag_known_dispose(k);
    return rag_store_roots(s, add_root, k, err);
}

rag_status rag_known_add(rag_known *k, int64_t id, const char *path,
                         bool is_dir, rag_error *err)
{
    rag_store_root root = {id, rag_str_of(path), is_dir, RAG_STR_LIT("")};

    return add_root(k, &root, err);
}

bool rag_known_below(rag_str *rest, const char *folder, const char *path)
{
    size_t n = strlen(folder);

    if (strcmp(folder, "/") == 0) {
        *rest = rag_str_of(path + 1);
        return true;
    }
    if (strncmp(folder, path, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return false;
    *rest = rag_str_of(path[n] == '/' ? path + n + 1 : path + n);
    return true;
}

const rag_known_root *rag_known_of(rag_str *key, const rag_known *k,
                                   const char *path)
{
    const rag_known_root *best = NULL;
    rag_str rest;

    for (size_t i = 0; i < k->n; i++) {
        const rag_known_root *e = &k->list[i];

        if (!(e->is_dir ? rag_known_below(&rest, e->path, path)
                        : strcmp(e->path, path) == 0))
            continue;
        if (best == NULL || strlen(e->path) > strlen(best->path)) {
            best = e;
            *key = e->is_dir ? rest : RAG_STR_LIT("");
        }
    }
    return best;
}

/* ---- settings of a root ------------------------------------------------- */

rag_status rag_known_settings(rag_buf *out, const rag_ingest_opts *o,
                              rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_array(w, "include");
    for (size_t i = 0; i < o->n_include; i++)
        rag_jw_strz(w, NULL, o->include[i]);
    rag_jw_end(w);
    rag_jw_array(w, "exclude");
    for (size_t i = 0; i < o->n_exclude; i++)
        rag_jw_strz(w, NULL, o->exclude[i]);
    rag_jw_end(w);
    rag_jw_bool(w, "hidden", o->hidden);
    rag_jw_bool(w, "follow", o->follow);
    rag_jw_bool(w, "gitignore", o->gitignore);
    rag_jw_strz(w, "type", o->type);
    rag_jw_end(w);
    st = rag_jw_finish(out, w, false, err);
    rag_jw_free(w);
    return st;
}

static rag_status globs_read(const char *const **out, size_t *n,
                             const rag_json *list, rag_arena *a, rag_error *err)
{
    size_t count = rag_json_count(list);
    const char **globs = rag_arena_array(a, count, sizeof *globs);

    if (globs == NULL)
        return rag_fail_nomem(err);
    *n = 0;
    for (const rag_json *e = rag_json_first(list); e != NULL;
         e = rag_json_next(e)) {
        rag_str s;

        if (!rag_json_str(&s, e))
            continue;
        globs[*n] = rag_arena_strndup(a, s.ptr, s.len);
        if (globs[(*n)++] == NULL)
            return rag_fail_nomem(err);
    }
    *out = globs;
    return RAG_OK;
}

rag_status rag_known_options(rag_ingest_opts *o, const char *text, rag_arena *a,
                             rag_error *err)
{
    rag_json *j = NULL;
    rag_status st = RAG_OK;
    rag_str type;

    if (text[0] == '\0')
        return RAG_OK;
    TRY(rag_json_parse(&j, rag_str_of(text), RAG_FLOW_MAX_META_BYTES,
                       "filters of a root", err));
    TRY(globs_read(&o->include, &o->n_include, rag_json_get(j, "include"), a,
                   err));
    TRY(globs_read(&o->exclude, &o->n_exclude, rag_json_get(j, "exclude"), a,
                   err));
    (void)rag_json_bool(&o->hidden, rag_json_get(j, "hidden"));
    (void)rag_json_bool(&o->follow, rag_json_get(j, "follow"));
    (void)rag_json_bool(&o->gitignore, rag_json_get(j, "gitignore"));
    if (rag_json_str(&type, rag_json_get(j, "type"))) {
        o->type = rag_arena_strndup(a, type.ptr, type.len);
        if (o->type == NULL)
            st = rag_fail_nomem(err);
    }
out:
    rag_json_free(j);
    return st;
}

/* ---- paths that are not there ---------------------------------------------
 */

/* The longest part of path that exists, links resolved; *rest: what is behind
 * it. *real NULL: nothing does. */
static rag_status longest_real(char **real, rag_str *rest, rag_str path,
                               rag_error *err)
{
    rag_status st = RAG_E_NOTFOUND;
    size_t n;

    *real = NULL;
    for (n = path.len; n > 0; n--) {
        char *head;

        if (n != path.len && path.ptr[n] != '/')
            continue;
        head = rag_strndup(path.ptr, n);
        st = head != NULL ? rag_file_real(real, head, NULL) : RAG_E_NOMEM;
        rag_free(head);
        if (st == RAG_E_NOMEM)
            return rag_fail_nomem(err);
        if (st == RAG_OK)
            break;
    }
    *rest = rag_str_cut(path, n, path.len);
    return RAG_OK;
}

rag_status rag_known_full(char **out, const char *given, const char *cwd,
                          rag_error *err)
{
    rag_status st;
    char *real = NULL;
    rag_str rest;
    rag_buf path;
    rag_buf b;

    *out = NULL;
    rag_buf_init(&path, PATH_MAX * (size_t)4);
    rag_buf_init(&b, PATH_MAX * (size_t)4);
    if (given[0] != '/' && cwd != NULL)
        rag_buf_addf(&path, "%s/", cwd);
    rag_buf_addz(&path, given);
    TRY(rag_buf_status(&path, err));
    TRY(longest_real(&real, &rest, rag_buf_str(&path), err));
    rag_buf_addz(&b, real != NULL && strcmp(real, "/") != 0 ? real : "");
    while (rest.len != 0) {
        size_t slash = rag_str_find_char(rest, '/');
        rag_str part = rag_str_cut(rest, 0, slash);

        if (part.len != 0 && !rag_str_eqz(part, ".")) {
            rag_buf_addc(&b, '/');
            rag_buf_adds(&b, part);
        }
        rest = rag_str_cut(rest, slash != SIZE_MAX ? slash + 1 : rest.len,
                           rest.len);
    }
    if (b.len == 0)
        rag_buf_addc(&b, '/');
    TRY(rag_buf_status(&b, err));
    *out = rag_buf_take(&b, NULL);
    if (*out == NULL)
        st = rag_fail_nomem(err);
out:
    rag_free(real);
    rag_buf_dispose(&path);
    rag_buf_dispose(&b);
    return st;
}

typedef struct below_ctx {
    rag_str key;
    bool found;
} below_ctx;

static rag_status is_below(void *ctx, const rag_store_file *f, rag_error *err)
{
    below_ctx *c = ctx;

    (void)err;
    if (f->version_id != 0 && f->key.len >= c->key.len &&
        rag_str_eq(rag_str_cut(f->key, 0, c->key.len), c->key) &&
        (f->key.len == c->key.len || f->key.ptr[c->key.len] == '/'))
        c->found = true;
    return RAG_OK;
}

rag_status rag_known_was_there(bool *yes, const rag_known *k, rag_store *s,
                               const char *path, rag_error *err)
{
    below_ctx c = {.found = false};
    const rag_known_root *root = rag_known_of(&c.key, k, path);
    rag_status st = RAG_OK;

    *yes = false;
    if (root == NULL)
        return RAG_OK;
    *yes = c.key.len == 0;
    if (!*yes) {
        st = rag_store_files(s, root->id, is_below, &c, err);
        *yes = c.found;
    }
    return st;
}

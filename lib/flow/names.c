#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/glob.h"
#include "base/utf8.h"
#include "flow/flow_priv.h"

/* longer paths do not exist (PATH_MAX is 4096); record ids are capped by their
 * reader */
#define MAX_NAME_BYTES ((size_t)1 << 17)

void rag_flow_path(rag_buf *out, rag_str root, rag_str key)
{
    if (rag_str_eqz(root, RAG_FLOW_PIPE_ROOT)) {
        rag_buf_adds(out, key); /* came through a pipe: a name, no path */
        return;
    }
    rag_buf_adds(out, root);
    if (key.len == 0)
        return;
    if (root.len == 0 || root.ptr[root.len - 1] != '/')
        rag_buf_addc(out, '/');
    rag_buf_adds(out, key);
}

void rag_flow_name(rag_buf *out, const rag *r, rag_str root, rag_str key,
                   rag_str record_id)
{
    rag_str cwd = rag_str_of(r->cfg.cwd);
    rag_buf path;
    rag_str p;

    rag_buf_init(&path, MAX_NAME_BYTES);
    rag_flow_path(&path, root, key);
    if (path.failed != RAG_OK && out->failed == RAG_OK)
        out->failed = path.failed; /* a name is whole or an error */
    p = rag_buf_str(&path);
    while (cwd.len != 0 && cwd.ptr[cwd.len - 1] == '/')
        cwd.len--; /* the root folder itself */
    if (cwd.ptr != NULL && p.len > cwd.len + 1 && p.ptr[cwd.len] == '/' &&
        rag_str_eq(rag_str_cut(p, 0, cwd.len), cwd))
        p = rag_str_cut(p, cwd.len + 1, p.len);
    rag_buf_adds(out, p);
    if (record_id.len != 0) {
        rag_buf_addc(out, '#');
        rag_buf_adds(out, record_id);
    }
    rag_buf_dispose(&path);
}

rag_status rag_flow_shown(rag_str *shown, rag_str *bytes, rag_arena *arena,
                          const rag *r, rag_str root, rag_str key,
                          rag_str record_id, rag_error *err)
{
    rag_status st;
    rag_buf raw;
    rag_buf safe;

    rag_buf_init(&raw, MAX_NAME_BYTES);
    rag_buf_init(&safe, MAX_NAME_BYTES * 4);
    *bytes = RAG_STR_LIT("");
    rag_flow_name(&raw, r, root, key, record_id);
    TRY(rag_buf_status(&raw, err));
    if (rag_utf8_valid(rag_buf_str(&raw))) {
        if (!rag_arena_str(arena, shown, rag_buf_str(&raw)))
            st = rag_fail_nomem(err);
        goto out;
    }
    rag_utf8_show(&safe, rag_buf_str(&raw), false);
    TRY(rag_buf_status(&safe, err));
    if (!rag_arena_str(arena, shown, rag_buf_str(&safe)) ||
        !rag_arena_str(arena, bytes, rag_buf_str(&raw)))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&raw);
    rag_buf_dispose(&safe);
    return st;
}

const char *rag_flow_stale(rag_str root, rag_str key,
                           const rag_store_look *look, rag_file_result result)
{
    const char *why = NULL;
    struct stat sb;
    rag_buf path;

    if (result == RAG_FILE_FAILED)
        return "broken";
    if (look->inode == 0)
        return NULL; /* came through a pipe: there is no file */
    rag_buf_init(&path, MAX_NAME_BYTES);
    rag_flow_path(&path, root, key);
    if (path.failed != RAG_OK) {
        why = NULL;
    } else if (stat(path.ptr, &sb) != 0) {
        why = errno == ENOENT || errno == ENOTDIR ? "gone" : NULL;
    } else if (sb.st_size != look->size_bytes ||
               (int64_t)sb.st_mtim.tv_sec * 1000000000 + sb.st_mtim.tv_nsec !=
                   look->mtime_ns) {
        why = "changed";
    }
    rag_buf_dispose(&path);
    return why;
}

/* A path as typed: "./x" and "../x" are meant from the working directory, by
 * their letters alone (the file may be gone). Others stay as they are. glob:
 * the folder's own name is no pattern. Appended. */
static void typed(rag_buf *out, const rag *r, rag_str path, bool glob)
{
    size_t from = out->len;

    if (!rag_str_starts(path, "./") && !rag_str_starts(path, "../")) {
        rag_buf_adds(out, path);
        return;
    }
    for (const char *p = r->cfg.cwd; p != NULL && *p != '\0'; p++) {
        if (glob && strchr("*?[\\", *p) != NULL)
            rag_buf_addc(out, '\\');
        rag_buf_addc(out, *p);
    }
    while (path.len != 0) {
        size_t slash = rag_str_find_char(path, '/');
        rag_str part = rag_str_cut(path, 0, slash);

        path = slash == SIZE_MAX ? rag_str_n("", 0)
                                 : rag_str_cut(path, slash + 1, path.len);
        while (out->len > from && out->ptr[out->len - 1] == '/')
            rag_buf_trunc(out, out->len - 1);
        if (rag_str_eqz(part, "..")) {
            while (out->len > from && out->ptr[out->len - 1] != '/')
                rag_buf_trunc(out, out->len - 1);
        } else if (!rag_str_eqz(part, ".")) {
            rag_buf_addc(out, '/');
            rag_buf_adds(out, part);
        }
    }
}

bool rag_flow_means(const rag *r, rag_str glob, const rag_store_doc *d)
{
    bool yes;
    rag_buf b;
    rag_buf want;

    rag_buf_init(&b, MAX_NAME_BYTES);
    rag_buf_init(&want, MAX_NAME_BYTES);
    typed(&want, r, glob, true);
    glob = rag_buf_str(&want);
    rag_flow_name(&b, r, d->root_path, d->key, d->record_id);
    yes = rag_glob_pick(glob, rag_buf_str(&b));
    if (!yes && d->record_id.len != 0) {
        rag_buf_clear(&b);
        rag_flow_name(&b, r, d->root_path, d->key, RAG_STR_LIT(""));
        yes = rag_glob_pick(glob, rag_buf_str(&b));
    }
    if (!yes) {
        rag_buf_clear(&b);
        rag_flow_path(&b, d->root_path, d->key);
        yes = rag_glob_match(glob, rag_buf_str(&b)) ||
              rag_glob_pick(glob, d->key);
        if (!yes && glob.len != 0 && glob.ptr[0] == '/')
            yes = rag_glob_pick(glob, rag_buf_str(&b));
    }
    rag_buf_dispose(&want);
    rag_buf_dispose(&b);
    return yes;
}

bool rag_flow_named(const rag *r, rag_str name, const rag_store_doc *d)
{
    bool yes;
    rag_buf b;
    rag_buf want;

    rag_buf_init(&b, MAX_NAME_BYTES);
    rag_buf_init(&want, MAX_NAME_BYTES);
    typed(&want, r, name, false);
    name = rag_buf_str(&want);
    rag_flow_name(&b, r, d->root_path, d->key, d->record_id);
    yes = rag_str_eq(name, rag_buf_str(&b));
    if (!yes) { /* as it was shown, escapes and all */
        rag_buf safe;

        rag_buf_init(&safe, MAX_NAME_BYTES * 4);
        rag_utf8_show(&safe, rag_buf_str(&b), false);
        yes = rag_str_eq(name, rag_buf_str(&safe));
        rag_buf_dispose(&safe);
    }
    if (!yes) {
        rag_buf_clear(&b);
        rag_flow_path(&b, d->root_path, d->key);
        if (d->record_id.len != 0) {
            rag_buf_addc(&b, '#');
            rag_buf_adds(&b, d->record_id);
        }
        yes = rag_str_eq(name, rag_buf_str(&b));
    }
    if (!yes) {
        rag_buf_clear(&b);
        rag_buf_adds(&b, d->key);
        if (d->record_id.len != 0) {
            rag_buf_addc(&b, '#');
            rag_buf_adds(&b, d->record_id);
        }
        yes = rag_str_eq(name, rag_buf_str(&b));
    }
    rag_buf_dispose(&want);
    rag_buf_dispose(&b);
    return yes;
}

#include "settings_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ini.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

/* settings are a page, not a book */
#define MAX_FILE_BYTES ((size_t)1 << 20)
/* inih as distributions build it cuts longer lines */
#define MAX_LINE_BYTES ((size_t)198)

/* ---- reading ------------------------------------------------------------ */

/* May a project file that nobody trusted say this? */
static bool is_safe(size_t i, const char *value)
{
    if (!settings_table[i].safe)
        return false;
    /* a local model only */
    return strcmp(settings_table[i].name, "embed.model") != 0 ||
           strncmp(value, "builtin:", 8) == 0 || strcmp(value, "none") == 0;
}

/* A file being read. */
typedef struct reading {
    settings *s;
    const char *path;
    bool project;
    bool trusted;
    rag_error *err;
    rag_status st;
} reading;

static int on_entry(void *ctx, const char *section, const char *name,
                    const char *value)
{
    reading *r = ctx;
    settings *s = r->s;
    char full[128];
    size_t i;
    int n = section[0] != '\0'
                ? snprintf(full, sizeof full, "%s.%s", section, name)
                : snprintf(full, sizeof full, "%s", name);

    if (r->st != RAG_OK)
        return 0;
    i = n > 0 && (size_t)n < sizeof full ? settings_find(full) : settings_count;
    if (i == settings_count) {
        r->st = rag_fail(r->err, RAG_E_INVAL,
                         "%s: no setting '%s' (rag config lists them)", r->path,
                         full);
        return 0;
    }
    if (r->project && !r->trusted && !is_safe(i, value)) {
        s->untrusted = s->untrusted == NULL
                           ? settings_textf(s, "%s", full)
                           : settings_textf(s, "%s, %s", s->untrusted, full);
        return 1;
    }
    r->st = settings_put(s, i, value, r->path, r->err);
    return r->st == RAG_OK;
}

static rag_status too_long(const char *path, rag_str text, rag_error *err)
{
    rag_str line;
    size_t no = 0;

    while (rag_str_next_line(&line, &text)) {
        no++;
        if (line.len > MAX_LINE_BYTES)
            return rag_fail(err, RAG_E_INVAL, "%s:%zu: more than %zu bytes",
                            path, no, MAX_LINE_BYTES);
    }
    return RAG_OK;
}

static void trust_mark(char out[65], const char *path, rag_str text)
{
    rag_sha256 *h = rag_sha256_new();
    uint8_t digest[RAG_SHA256_BYTES];

    out[0] = '\0';
    if (h == NULL)
        return;
    rag_sha256_add(h, path, strlen(path) + 1);
    rag_sha256_add(h, text.ptr, text.len);
    rag_sha256_end(h, digest);
    rag_sha256_free(h);
    rag_hash_hex(out, digest, RAG_SHA256_BYTES);
}

static const char *trust_path(settings *s, const char *path, rag_str text)
{
    char mark[65];

    if (s->state_dir == NULL)
        return NULL;
    trust_mark(mark, path, text);
    return settings_textf(s, "%s/trusted/%s", s->state_dir, mark);
}

rag_status settings_read_file(settings *s, const char *path, bool project,
                              rag_error *err)
{
    reading r = {.s = s, .path = path, .project = project, .err = err};
    const char *mark;
    rag_status st;
    rag_buf b;
    int line;

    rag_buf_init(&b, MAX_FILE_BYTES * 2);
    st = rag_file_read(&b, path, MAX_FILE_BYTES, err);
    if (st == RAG_E_NOTFOUND) {
        rag_error_clear(err);
        st = RAG_OK;
        goto out;
    }
    if (st != RAG_OK)
        goto out;
    TRY(too_long(path, rag_buf_str(&b), err));
    mark = project ? trust_path(s, path, rag_buf_str(&b)) : NULL;
    r.trusted = mark != NULL && access(mark, F_OK) == 0;
    line = ini_parse_string(b.ptr, on_entry, &r);
    st = r.st;
    if (st == RAG_OK && line != 0)
        st = rag_fail(err, RAG_E_INVAL,
                      "%s:%d: neither [section] nor name = value", path, line);
out:
    rag_buf_dispose(&b);
    return st;
}

/* ---- writing ------------------------------------------------------------ */

/* Appends text with `key` of [section] set to value, or taken out. */
static void edit(rag_buf *out, rag_str text, const char *section,
                 const char *key, const char *value)
{
    bool inside = section[0] == '\0';
    bool done = value == NULL;
    rag_str line;

    while (rag_str_next_line(&line, &text)) {
        rag_str t = rag_str_trim(line);
        size_t eq = rag_str_find_char(t, '=');

        if (t.len > 1 && t.ptr[0] == '[') {
            if (inside && !done) {
                rag_buf_addf(out, "%s = %s\n", key, value);
                done = true;
            }
            inside = rag_str_eqz(rag_str_trim(rag_str_cut(t, 1, t.len - 1)),
                                 section);
        } else if (inside && eq != SIZE_MAX &&
                   rag_str_eqz(rag_str_trim(rag_str_cut(t, 0, eq)), key)) {
            if (!done)
                rag_buf_addf(out, "%s = %s\n", key, value);
            done = true;
            continue;
        }
        rag_buf_adds(out, line);
        rag_buf_addc(out, '\n');
    }
    if (done)
        return;
    if (!inside)
        rag_buf_addf(out, "[%s]\n", section);
    rag_buf_addf(out, "%s = %s\n", key, value);
}

rag_status settings_write(const settings *s, const char *name,
                          const char *value, rag_error *err)
{
    size_t i = settings_find(name);
    const char *dot = strchr(name, '.');
    char section[64] = "";
    rag_status st = RAG_OK;
    rag_buf old;
    rag_buf new;

    if (i == settings_count)
        return rag_fail(err, RAG_E_INVAL,
                        "no setting '%s' (rag config lists them)", name);
    if (s->user_file == NULL)
        return rag_fail(err, RAG_E_INVAL, "set HOME or XDG_CONFIG_HOME first");
    if (dot != NULL) {
        memcpy(section, name, (size_t)(dot - name));
        section[dot - name] = '\0';
    }
    rag_buf_init(&old, MAX_FILE_BYTES * 2);
    rag_buf_init(&new, MAX_FILE_BYTES * 2);
    if (value != NULL)
        TRY(settings_check(i, value, "command line", err));
    st = rag_file_read(&old, s->user_file, MAX_FILE_BYTES, err);
    if (st == RAG_E_NOTFOUND)
        rag_error_clear(err);
    else if (st != RAG_OK)
        goto out;
    edit(&new, rag_buf_str(&old), section, dot != NULL ? dot + 1 : name, value);
    TRY(rag_buf_status(&new, err));
    TRY(too_long(s->user_file, rag_buf_str(&new), err));
    TRY(rag_file_mkdirs(s->config_dir, err));
    st = rag_file_replace(s->user_file, new.ptr, new.len, err);
out:
    rag_buf_dispose(&old);
    rag_buf_dispose(&new);
    return st;
}

rag_status settings_trust(const settings *s, rag_error *err)
{
    char mark[65];
    char *dir = NULL;
    char *file = NULL;
    rag_status st;
    rag_buf b;

    if (s->project_file == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "there is no .rag folder at or above this one");
    if (s->state_dir == NULL)
        return rag_fail(err, RAG_E_INVAL, "set HOME or XDG_STATE_HOME first");
    rag_buf_init(&b, MAX_FILE_BYTES * 2);
    TRY(rag_file_read(&b, s->project_file, MAX_FILE_BYTES, err));
    trust_mark(mark, s->project_file, rag_buf_str(&b));
    dir = rag_file_join(s->state_dir, "trusted");
    file = dir != NULL ? rag_file_join(dir, mark) : NULL;
    if (file == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_file_mkdirs(dir, err));
    st = rag_file_replace(file, s->project_file, strlen(s->project_file), err);
out:
    rag_free(file);
    rag_free(dir);
    rag_buf_dispose(&b);
    return st;
}

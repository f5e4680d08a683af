/* Checks everything that can break, and says for each what mends it. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "doc/read_pdf.h"
#include "flow/flow_priv.h"
#include "nn/cpu.h"
#include "nn/encoder.h"

/* An ingest writes its log and its index beside the old ones: with less room
 * than this the next one may stop half-way. */
#define LOW_SPACE_BYTES ((uint64_t)512 << 20)
/* and with less than this nothing works */
#define NO_SPACE_BYTES ((uint64_t)16 << 20)

typedef struct doctor {
    const rag_config *cfg;
    rag_check_fn fn;
    void *ctx;
    rag *r;      /* the open store or NULL */
    bool remote; /* a remote model is set */
} doctor;

void rag_flow_check_line(rag_check_fn fn, void *ctx, const char *state,
                         rag_status code, const char *what, const char *mend,
                         const char *fmt, va_list ap)
{
    char detail[1024];
    rag_check_line line = {state, code, what, detail, mend};

    if (vsnprintf(detail, sizeof detail, fmt, ap) < 0)
        detail[0] = '\0';
    fn(ctx, &line);
}

static void say(const doctor *d, const char *state, rag_status code,
                const char *what, const char *mend, const char *fmt, ...)
    RAG_PRINTF(6, 7);

static void say(const doctor *d, const char *state, rag_status code,
                const char *what, const char *mend, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    rag_flow_check_line(d->fn, d->ctx, state, code, what, mend, fmt, ap);
    va_end(ap);
}

static bool is_remote(const char *model)
{
    return model != NULL && (strncmp(model, "openai:", 7) == 0 ||
                             strncmp(model, "ollama:", 7) == 0 ||
                             strncmp(model, "http:", 5) == 0);
}

/* ---- the machine -------------------------------------------------------- */

static void libraries(const doctor *d)
{
    char tool[RAG_READ_PDF_VERSION_BYTES];
    rag_error err = {RAG_OK, ""};
    const char *curl = rag_embed_http_library(&err);

    say(d, "ok", RAG_OK, "libraries", NULL, "SQLite %s, FAISS %s, cpu tier %s",
        rag_store_sqlite_version(), rag_store_faiss_version(),
        rag_encoder_tier());
    if (!rag_cpu_is_named())
        say(d, "warn", RAG_OK, "RAG_CPU", NULL,
            "is none of scalar, avx2, avxvnni, avx512, amx and neon: it "
            "changes nothing");
    if (curl != NULL)
        say(d, "ok", RAG_OK, "libcurl", NULL, "%s", curl);
    else
        say(d, d->remote ? "fail" : "warn", RAG_E_UNSUPPORTED, "libcurl",
            "apt-get install libcurl4", "%s", err.msg);
    if (rag_read_pdf_version(tool, &err) == RAG_OK)
        say(d, "ok", RAG_OK, "pdftotext", NULL, "%s", tool);
    else
        say(d, "warn", RAG_OK, "pdftotext", "apt-get install poppler-utils",
            "%s", err.msg);
    if (access("/usr/share/poppler/cidToUnicode", F_OK) == 0)
        say(d, "ok", RAG_OK, "poppler-data", NULL,
            "character maps of Korean, Chinese and Japanese PDF");
    else
        say(d, "warn", RAG_OK, "poppler-data", "apt-get install poppler-data",
            "some Korean, Chinese and Japanese PDF cannot be read without");
}

/* The user's own folders: made when needed, so missing is fine. */
static void own_folder(const doctor *d, const char *what, const char *dir)
{
    struct stat sb;

    if (dir == NULL)
        say(d, "warn", RAG_OK, what, NULL,
            "not set: HOME and its XDG variable are empty");
    else if (stat(dir, &sb) != 0 && errno == ENOENT)
        say(d, "ok", RAG_OK, what, NULL, "%s (made when needed)", dir);
    else if (access(dir, R_OK | W_OK | X_OK) != 0)
        say(d, "fail", RAG_E_IO, what, "chown and chmod u+rwx that folder",
            "%s: %s", dir, strerror(errno));
    else if (stat(dir, &sb) == 0 && (sb.st_mode & S_IWOTH) != 0)
        say(d, "warn", RAG_OK, what, "chmod o-w that folder",
            "%s: everybody may write there", dir);
    else
        say(d, "ok", RAG_OK, what, NULL, "%s", dir);
}

/* The folder, or the nearest one above it that exists. */
static void space(const doctor *d)
{
    char dir[4096];
    struct statvfs v;
    uint64_t left;
    int n = snprintf(dir, sizeof dir, "%s", d->cfg->store_dir);

    if (n < 0 || (size_t)n >= sizeof dir)
        return;
    while (statvfs(dir, &v) != 0) {
        char *slash = strrchr(dir, '/');

        if (slash == NULL || slash == dir)
            return;
        *slash = '\0';
    }
    left = (uint64_t)v.f_bavail * v.f_frsize;
    if (left < NO_SPACE_BYTES)
        say(d, "fail", RAG_E_IO, "free space", "make room on that disk",
            "%llu MB left at %s", (unsigned long long)(left >> 20), dir);
    else if (left < LOW_SPACE_BYTES)
        say(d, "warn", RAG_OK, "free space", "make room on that disk",
            "%llu MB left at %s", (unsigned long long)(left >> 20), dir);
    else
        say(d, "ok", RAG_OK, "free space", NULL, "%.1f GB at %s",
            (double)left / 1e9, dir);
}

/* ---- the store ---------------------------------------------------------- */

static void store_line(void *ctx, const char *state, const char *what,
                       const char *detail, const char *mend)
{
    const doctor *d = ctx;

    say(d, state, strcmp(state, "fail") == 0 ? RAG_E_CORRUPT : RAG_OK, what,
        mend, "%s", detail);
}

static void permissions(const doctor *d)
{
    const char *dir = d->cfg->store_dir;
    struct stat sb;

    if (stat(dir, &sb) != 0)
        return; /* opening it says why */
    if (access(dir, W_OK) != 0)
        say(d, "warn", RAG_OK, "store folder", NULL,
            "%s: may be read, not written (%s)", dir,
            sb.st_uid == geteuid() ? "its mode or disk says so"
                                   : "it belongs to another user");
    else if ((sb.st_mode & S_IWOTH) != 0)
        say(d, "warn", RAG_OK, "store folder", "chmod o-w that folder",
            "%s: everybody may write there", dir);
    else
        say(d, "ok", RAG_OK, "store folder", NULL, "%s", dir);
}

static rag_status open_store(doctor *d, bool repair, rag_error *err)
{
    rag_error why = {RAG_OK, ""};
    rag_status st = rag_open(&d->r, d->cfg,
                             repair ? RAG_OPEN_WRITE : RAG_OPEN_READ, 0, &why);

    if (st == RAG_E_NOMEM || st == RAG_E_CANCELLED)
        return rag_fail(err, st, "%s", why.msg);
    if (st == RAG_E_NOTFOUND)
        say(d, "warn", RAG_OK, "store", "rag ingest FOLDER", "none yet at %s",
            d->cfg->store_dir);
    else if (st == RAG_E_BUSY)
        say(d, "fail", st, "store", "try again when the other rag is done",
            "%s", why.msg);
    else if (st != RAG_OK)
        say(d, "fail", st, "store",
            st == RAG_E_CORRUPT
                ? "move that folder away and ingest the documents again"
                : NULL,
            "%s", why.msg);
    return RAG_OK;
}

static void counts(const doctor *d, const rag_state *s)
{
    if (s->n_missing != 0 && strcmp(s->embed_model.ptr, "none") == 0)
        say(d, "warn", RAG_OK, "vectors", "rag model add FILE, then rag ingest",
            "%llu chunks are found by words only: no embedding model",
            (unsigned long long)s->n_missing);
    else if (s->n_missing != 0)
        say(d, "warn", RAG_OK, "vectors", "rag ingest",
            "%llu chunks have none yet", (unsigned long long)s->n_missing);
    if (s->n_failed != 0)
        say(d, "warn", RAG_OK, "files", "rag ingest -v",
            "%llu could not be read, %llu of them show an older version",
            (unsigned long long)s->n_failed, (unsigned long long)s->n_stale);
    for (size_t i = 0; i < s->n_roots; i++)
        if (access(s->roots[i].ptr, R_OK) != 0)
            say(d, "warn", RAG_OK, "root",
                "rag rm its documents, or bring it back", "%s: %s",
                s->roots[i].ptr, strerror(errno));
}

static rag_status store(doctor *d, bool repair, rag_error *err)
{
    rag_state *s = NULL;
    rag_status st;

    if (d->cfg->store_dir == NULL) {
        say(d, "fail", RAG_E_INVAL, "store", "rag --store DIR doctor",
            "none can be had: 'rag status' says why");
        return RAG_OK;
    }
    permissions(d);
    space(d);
    TRY(open_store(d, repair, err));
    if (d->r == NULL)
        goto out;
    TRY(rag_store_check(d->r->store, repair, store_line, d, err));
    st = rag_state_get(&s, d->r, err);
    if (st == RAG_OK) {
        counts(d, s);
    } else if (st != RAG_E_NOMEM && err != NULL) {
        say(d, "fail", st, "counts", "rag doctor --repair", "%s", err->msg);
        rag_error_clear(err);
        st = RAG_OK;
    }
out:
    rag_state_free(s);
    return st;
}

/* ---- models ------------------------------------------------------------- */

static const char *mend_of(rag_status st, const char *kind_url,
                           const char *kind_key)
{
    if (st == RAG_E_AUTH)
        return kind_key;
    if (st == RAG_E_NET || st == RAG_E_REMOTE)
        return kind_url;
    if (st == RAG_E_CORRUPT)
        return "rag model add FILE again";
    return NULL;
}

static rag_status embedding(const doctor *d, rag_error *err)
{
    rag_embedder *e = NULL;
    char *model = NULL;
    rag_error why = {RAG_OK, ""};
    rag_store_space space;
    double ms = 0;
    rag_status st = rag_flow_embedder_new(&e, &model, d->cfg, &why);

    if (st == RAG_OK && e == NULL) {
        say(d, "warn", RAG_OK, "embedding model", "rag model add FILE",
            "none: documents are found by words only");
        goto out;
    }
    if (st == RAG_OK)
        st = rag_embed_check(e, &ms, &why);
    if (st == RAG_E_NOMEM || st == RAG_E_CANCELLED) {
        st = rag_fail(err, st, "%s", why.msg);
        goto out;
    }
    if (st != RAG_OK) {
        say(d, "fail", st, "embedding model",
            st == RAG_E_NOTFOUND
                ? "rag model add FILE"
                : mend_of(st, "rag config set embed.url URL",
                          "rag config set embed.key_env NAME_OF_A_VARIABLE"),
            "%s%s%s", model != NULL ? model : "", model != NULL ? ": " : "",
            why.msg);
        st = RAG_OK;
        goto out;
    }
    say(d, "ok", RAG_OK, "embedding model", NULL, "%s%s (%.0f ms)", model,
        d->cfg->embed_key != NULL && is_remote(model) ? ", with a key" : "",
        ms);
    if (d->r == NULL)
        goto out;
    if (rag_store_space_active(&space, d->r->store, &why) == RAG_OK &&
        space.id != 0 &&
        !rag_str_eqz(space.fingerprint, rag_embed_fingerprint(e)))
        say(d, "fail", RAG_E_MISMATCH, "vectors",
            "rag ingest --reembed (or another store)",
            rag_str_eqz(space.model, model)
                ? "made by %.*s with another file or other prefixes than %s "
                  "has now"
                : "made by %.*s, the settings name %s",
            (int)(space.model.len < 200 ? space.model.len : 200),
            space.model.ptr, model);
out:
    rag_embed_free(e);
    rag_free(model);
    return st;
}

static rag_status chat(const doctor *d, rag_error *err)
{
    const char *model = d->cfg->chat_model;
    rag r = {.cfg = *d->cfg};
    rag_chat *c = NULL;
    rag_error why = {RAG_OK, ""};
    double ms = 0;
    rag_status st = rag_flow_chat(&c, &r, false, &why);

    if (st == RAG_OK && c == NULL) {
        say(d, "ok", RAG_OK, "chat model", NULL,
            "none: answers are sentences of the documents");
        return RAG_OK;
    }
    if (st == RAG_OK)
        st = rag_chat_check(c, &ms, &why);
    if (st == RAG_E_NOMEM || st == RAG_E_CANCELLED) {
        st = rag_fail(err, st, "%s", why.msg);
        goto out;
    }
    if (st != RAG_OK)
        say(d, "fail", st, "chat model",
            mend_of(st, "rag config set chat.url URL",
                    "rag config set chat.key_env NAME_OF_A_VARIABLE"),
            "%s: %s", model, why.msg);
    else
        say(d, "ok", RAG_OK, "chat model", NULL, "%s%s (%.0f ms)", model,
            d->cfg->chat_key != NULL ? ", with a key" : "", ms);
    st = RAG_OK;
out:
    rag_chat_free(c);
    return st;
}

/* Silent when none is set: that is how most people search. */
static rag_status reranker(const doctor *d, rag_error *err)
{
    rag_reranker *r = NULL;
    rag_error why = {RAG_OK, ""};
    double ms = 0;
    rag_status st = rag_flow_reranker_new(&r, d->cfg, &why);

    if (st == RAG_OK && r == NULL)
        return RAG_OK;
    if (st == RAG_OK)
        st = rag_rerank_check(r, &ms, &why);
    if (st == RAG_E_NOMEM || st == RAG_E_CANCELLED) {
        st = rag_fail(err, st, "%s", why.msg);
        goto out;
    }
    if (st != RAG_OK)
        say(d, "fail", st, "reranker",
            mend_of(st == RAG_E_INVAL || st == RAG_E_FORMAT ? RAG_E_NET : st,
                    "rag config set rerank.url URL",
                    "rag config set rerank.key_env NAME_OF_A_VARIABLE"),
            "%s: %s", d->cfg->rerank_model, why.msg);
    else
        say(d, "ok", RAG_OK, "reranker", NULL, "%s%s (%.0f ms)",
            d->cfg->rerank_model,
            d->cfg->rerank_key != NULL ? ", with a key" : "", ms);
    st = RAG_OK;
out:
    rag_rerank_free(r);
    return st;
}

typedef struct shelf {
    const doctor *d;
    size_t n_whole;
    rag_status st; /* out of memory, or interrupted */
} shelf;

static void model_file(void *ctx, const rag_model_info *m)
{
    shelf *s = ctx;
    rag_error why = {RAG_OK, ""};
    const rag_config *cfg = s->d->cfg;
    rag_status st;

    if (s->st != RAG_OK)
        return;
    if (cfg->cancelled != NULL && cfg->cancelled(cfg->cancel_ctx)) {
        s->st = RAG_E_CANCELLED;
        return;
    }
    st = rag_encoder_verify(m->path, &why);
    if (st == RAG_E_NOMEM)
        s->st = st;
    else if (st == RAG_OK)
        s->n_whole++;
    else
        say(s->d, "fail", st, "model file", "rag model add FILE again",
            "builtin:%s: %s", m->name, why.msg);
}

/* All built-in models, in use or not; those in use were asked above. */
static rag_status model_files(const doctor *d, rag_error *err)
{
    shelf s = {.d = d, .st = RAG_OK};
    rag_error why = {RAG_OK, ""};
    rag_status st;

    if (d->cfg->data_dir == NULL)
        return RAG_OK;
    st = rag_model_list(d->cfg, model_file, &s, &why);
    if (s.st != RAG_OK)
        return rag_fail(err, s.st,
                        s.st == RAG_E_NOMEM ? "out of memory" : "interrupted");
    if (st == RAG_E_NOMEM)
        return rag_fail_nomem(err);
    if (st != RAG_OK)
        say(d, "fail", st, "model files", NULL, "%s", why.msg);
    else if (s.n_whole != 0)
        say(d, "ok", RAG_OK, "model files", NULL, "%zu whole", s.n_whole);
    return RAG_OK;
}

/* ---- all of it ---------------------------------------------------------- */

rag_status rag_doctor(const rag_config *cfg, bool repair, rag_check_fn fn,
                      void *ctx, rag_error *err)
{
    doctor d = {.cfg = cfg,
                .fn = fn,
                .ctx = ctx,
                .remote = is_remote(cfg->embed_model) ||
                          is_remote(cfg->chat_model) ||
                          is_remote(cfg->rerank_model)};
    rag_status st;

    libraries(&d);
    own_folder(&d, "data folder", cfg->data_dir);
    own_folder(&d, "state folder", cfg->state_dir);
    TRY(store(&d, repair, err));
    TRY(embedding(&d, err));
    TRY(chat(&d, err));
    TRY(reranker(&d, err));
    st = model_files(&d, err);
out:
    rag_close(d.r);
    return st;
}

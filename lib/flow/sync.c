#include "flow/sync_priv.h"

#include <string.h>

#include "base/mem.h"

/* Memory of the files being read at once, by estimate: with the queue and the
 * store's own memory a run stays under 256 MB. What needs more is read alone.
 */
#define MAX_READING_BYTES ((uint64_t)100 << 20)
/* What reading a byte of a file takes at most, measured on pages and tables of
 * nothing but markup (docs/benchmarks.md); the reader of HTML refuses pages
 * beyond its cap. */
#define HTML_TIMES 25
#define HTML_MAX_BYTES ((uint64_t)192 << 20)
#define MARKDOWN_TIMES 12
#define TEXT_TIMES 2
/* a child process, whatever the file's size */
#define PDF_BYTES ((uint64_t)24 << 20)
/* A file changed so shortly before the last look may have changed again within
 * the clock's grain. */
#define RACY_NS ((int64_t)2000000000)
#define MAX_PATH_BYTES ((size_t)1 << 16)

/* ---- fingerprints ------------------------------------------------------- */

void rag_sync_fingerprint(rag_buf *out, const rag_sync *s, const char *type)
{
    rag_doc_type t;

    rag_buf_addf(out, "%s %s %u-%u", rag_doc_sniff_version(),
                 rag_chunk_version(), (unsigned)s->chunk_opts.min_tokens,
                 (unsigned)s->chunk_opts.max_tokens);
    if (s->opts->type != NULL)
        rag_buf_addf(out, " type=%s", s->opts->type);
    if (type != NULL && rag_doc_type_of(&t, rag_str_of(type))) {
        rag_buf_addf(out, " %s", rag_doc_reader_version(t));
        return;
    }
    for (int i = RAG_DOC_TEXT; i <= RAG_DOC_TSV; i++)
        rag_buf_addf(out, " %s", rag_doc_reader_version((rag_doc_type)i));
}

/* Was the last look at the file one of these readers and settings? */
static bool fingerprint_is(const rag_sync *s, const rag_store_file *f)
{
    /* of a failed file the type is that of its last good version, but any
     * reader may have got further this time */
    rag_str type = f->result == RAG_FILE_OK ? f->type : RAG_STR_LIT("");
    char name[32];
    rag_buf want;
    bool same;

    rag_buf_init(&want, 4096);
    if (type.len >= sizeof name)
        type.len = 0;
    memcpy(name, type.ptr != NULL ? type.ptr : "", type.len);
    name[type.len] = '\0';
    rag_sync_fingerprint(&want, s, type.len != 0 ? name : NULL);
    same =
        want.failed == RAG_OK && rag_str_eq(rag_buf_str(&want), f->fingerprint);
    rag_buf_dispose(&want);
    return same;
}

/* ---- outside ------------------------------------------------------------ */

rag_status rag_sync_new(rag_sync **out, rag *r, const rag_ingest_opts *opts,
                        const rag_ingest_watch *watch,
                        rag_ingest_report *report, rag_error *err)
{
    rag_sync *s = rag_calloc(1, sizeof *s);
    rag_status st;

    *out = s;
    if (s == NULL)
        return rag_fail_nomem(err);
    s->r = r;
    s->opts = opts;
    s->watch = watch;
    s->report = report;
    s->chunk_opts.min_tokens = r->cfg.chunk_min_tokens;
    s->chunk_opts.max_tokens = r->cfg.chunk_max_tokens;
    s->began_ms = rag_flow_now_ms();
    rag_sync_queue_init(&s->queue);
    st = rag_fit_new(&s->fit, &r->cfg, err);
    if (s->fit != NULL) {
        s->chunk_opts.fits = rag_fit_fits;
        s->chunk_opts.fits_ctx = s->fit;
    }
    return st;
}

void rag_sync_free(rag_sync *s)
{
    rag_sync_item *it;

    if (s == NULL)
        return;
    rag_sync_queue_abandon(&s->queue);
    rag_pool_free(s->pool);
    while ((it = rag_sync_take(&s->queue, false)) != NULL) {
        if (it->ready != NULL)
            rag_ready_free(it->ready);
        else
            rag_sync_job_free(it->job);
        rag_free(it);
    }
    rag_sync_queue_dispose(&s->queue);
    rag_fit_free(s->fit);
    rag_free(s->saw);
    rag_free(s);
}

static rag_status mark_seen(rag_sync *s, int64_t file_id, rag_error *err)
{
    size_t byte = (size_t)file_id / 8;

    if (byte >= s->saw_bytes) {
        size_t old = s->saw_bytes;

        if (!rag_mem_grow(&s->saw, &s->saw_bytes, byte + 1, 1))
            return rag_fail_nomem(err);
        memset(s->saw + old, 0, s->saw_bytes - old);
    }
    s->saw[byte] |= (uint8_t)(1u << (file_id % 8));
    return RAG_OK;
}

bool rag_sync_saw(const rag_sync *s, int64_t file_id)
{
    size_t byte = (size_t)file_id / 8;

    return byte < s->saw_bytes && (s->saw[byte] >> (file_id % 8) & 1) != 0;
}

/* Same size, times and inode as at the last look, which was late enough after
 * the last change to be trusted. */
static bool untouched(const rag_store_look *a, const struct stat *sb)
{
    return a->size_bytes == sb->st_size &&
           a->mtime_ns == rag_sync_ns(sb->st_mtim) &&
           a->ctime_ns == rag_sync_ns(sb->st_ctim) && a->inode == sb->st_ino &&
           a->looked_ns - a->mtime_ns > RACY_NS;
}

/* Nothing to do for a file the store knows: reported as what it was. */
static rag_status again(rag_sync *s, rag_str root_path, const rag_store_file *f,
                        rag_error *err)
{
    rag_ingest_file tf = {.result = RAG_INGEST_UNCHANGED};

    if (f->result == RAG_FILE_FAILED)
        tf.result = RAG_INGEST_FAILED;
    else if (f->result == RAG_FILE_SKIPPED)
        tf.result = RAG_INGEST_SKIPPED;
    else if (f->reason.len != 0)
        s->report->n_partial++;
    tf.reason = f->reason;
    tf.type = f->type;
    tf.n_pages = (uint64_t)f->n_pages;
    tf.n_empty_pages = (uint64_t)f->n_empty_pages;
    tf.n_chars = (uint64_t)f->n_chars;
    tf.n_chunks = (uint64_t)f->n_chunks;
    s->n_given++;
    s->n_ended++;
    return rag_sync_report(s, root_path, f->key, &tf, f->warnings, err);
}

/* What reading the file may take, by its name: enough to share the memory; its
 * reader is chosen by content. */
static uint64_t cost_of(rag_str key, uint64_t size_bytes)
{
    uint64_t n;

    if (rag_str_iends(key, ".pdf"))
        return PDF_BYTES;
    if (rag_str_iends(key, ".html") || rag_str_iends(key, ".htm") ||
        rag_str_iends(key, ".xhtml")) {
        n = size_bytes * HTML_TIMES;
        return n < HTML_MAX_BYTES ? n : HTML_MAX_BYTES;
    }
    return size_bytes *
           (rag_str_iends(key, ".md") ? MARKDOWN_TIMES : TEXT_TIMES);
}

static rag_status start(rag_sync *s, rag_sync_job *j, rag_error *err)
{
    rag_status st;

    if (s->pool == NULL) {
        /* the queue never fills: at most n_open jobs are out */
        st = rag_pool_new(&s->pool, s->r->cfg.n_jobs, 4096, err);
        if (st != RAG_OK) {
            rag_sync_job_free(j);
            return st;
        }
    }
    while (s->n_open != 0 &&
           (s->n_open >= rag_pool_threads(s->pool) * 4 ||
            s->open_bytes + j->cost_bytes > MAX_READING_BYTES)) {
        st = rag_sync_drain(s, true, err);
        if (st != RAG_OK) {
            rag_sync_job_free(j);
            return st;
        }
    }
    s->n_open++;
    s->n_given++;
    s->open_bytes += j->cost_bytes;
    rag_pool_submit(s->pool, rag_sync_work, j);
    return rag_sync_drain(s, false, err);
}

void rag_sync_job_free(rag_sync_job *j)
{
    rag_buf_dispose(&j->warnings);
    rag_free(j->name);
    rag_free(j->root_path);
    rag_free(j->path);
    rag_free(j->key);
    rag_free(j);
}

static rag_status job_new(rag_sync_job **out, rag_sync *s, rag_str name,
                          rag_str root_path, rag_str key, rag_error *err)
{
    rag_sync_job *j = rag_calloc(1, sizeof *j);
    rag_buf path;

    *out = NULL;
    if (j == NULL)
        return rag_fail_nomem(err);
    rag_buf_init(&path, MAX_PATH_BYTES * 2);
    rag_buf_init(&j->warnings, (size_t)1 << 16);
    rag_flow_path(&path, root_path, key);
    j->s = s;
    j->fd = j->dir_fd = -1;
    j->name = rag_strndup(name.ptr, name.len);
    j->root_path = rag_strndup(root_path.ptr, root_path.len);
    j->key = rag_strndup(key.ptr, key.len);
    j->path = rag_buf_take(&path, NULL);
    rag_buf_dispose(&path);
    if (j->name == NULL || j->root_path == NULL || j->key == NULL ||
        j->path == NULL) {
        rag_sync_job_free(j);
        return rag_fail_nomem(err);
    }
    *out = j;
    return RAG_OK;
}

/* What the store has of the job's file. */
static void set_known(rag_sync_job *j, const rag_store_file *f)
{
    j->had_version = f->version_id != 0;
    j->may_equal =
        j->had_version && f->result == RAG_FILE_OK && fingerprint_is(j->s, f);
    memcpy(j->old_sha, f->version_sha256, RAG_SHA256_BYTES);
}

rag_status rag_sync_file(rag_sync *s, int dir_fd, rag_str name, int64_t root_id,
                         rag_str root_path, rag_str key, const struct stat *sb,
                         rag_error *err)
{
    rag_store_file f;
    bool known = false;
    rag_status st = RAG_OK;
    rag_sync_job *j;

    if (s->r->store != NULL && root_id != 0)
        st = rag_store_file_find(&f, &known, s->r->store, root_id, key, err);
    if (st == RAG_OK && known)
        st = mark_seen(s, f.id, err);
    if (st != RAG_OK)
        return st;
    if (known && untouched(&f.look, sb) && fingerprint_is(s, &f))
        return again(s, root_path, &f, err);
    st = job_new(&j, s, name, root_path, key, err);
    if (st != RAG_OK)
        return st;
    j->dir_fd = dir_fd;
    j->root_id = root_id;
    j->cost_bytes =
        cost_of(key.len != 0 ? key : root_path, (uint64_t)sb->st_size);
    rag_sync_look(&j->look, sb);
    if (known)
        set_known(j, &f);
    return start(s, j, err);
}

rag_status rag_sync_fd(rag_sync *s, int fd, int64_t root_id, rag_str key,
                       rag_error *err)
{
    rag_store_file f;
    bool known = false;
    rag_status st = RAG_OK;
    rag_sync_job *j;

    if (s->r->store != NULL && root_id != 0)
        st = rag_store_file_find(&f, &known, s->r->store, root_id, key, err);
    if (st != RAG_OK)
        return st;
    st = job_new(&j, s, key, rag_str_of(RAG_FLOW_PIPE_ROOT), key, err);
    if (st != RAG_OK)
        return st;
    j->fd = fd;
    j->root_id = root_id;
    if (known)
        set_known(j, &f);
    j->look.looked_ns = rag_flow_wall_ns();
    return start(s, j, err);
}

rag_status rag_sync_finish(rag_sync *s, rag_error *err)
{
    rag_status st = RAG_OK;

    while (st == RAG_OK && s->n_open != 0)
        st = rag_sync_drain(s, true, err);
    return st;
}

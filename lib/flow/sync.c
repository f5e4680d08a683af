#include "flow/sync.h"
#include "flow/fit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/walk.h"
#include "flow/ready.h"

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
/* Behind a file that may have taken more than this, memory goes back to the
 * system: each thread would keep its own otherwise. */
#define TRIM_BYTES ((uint64_t)16 << 20)
/* a child process, whatever the file's size */
#define PDF_BYTES ((uint64_t)24 << 20)
/* Records ahead of the writer: enough to keep it busy. */
#define MAX_QUEUED 256
#define MAX_QUEUED_BYTES ((size_t)16 << 20)
/* A file changed so shortly before the last look may have changed again within
 * the clock's grain. */
#define RACY_NS ((int64_t)2000000000)
#define MAX_PATH_BYTES ((size_t)1 << 16)

typedef struct job {
    rag_sync *s;
    struct job *next; /* of all that are open */
    int dir_fd;
    char *name;
    char *root_path;
    char *path; /* full */
    char *key;
    int64_t root_id;
    int fd; /* >= 0: read this one */
    uint64_t cost_bytes;
    rag_store_look look;
    /* what the store had */
    bool had_version;
    bool may_equal; /* equal bytes need no new version */
    uint8_t old_sha[RAG_SHA256_BYTES];
    /* what the worker found */
    bool same;
    bool partial; /* good records stored, err says what of the bad ones */
    rag_status st;
    rag_error err;
    /* what the writer made */
    int64_t version_id;
    uint64_t n_docs, n_chunks, n_chars, n_pages, n_empty_pages;
    const char *type;
    rag_buf warnings; /* one a line */
} job;

typedef struct item {
    struct item *next;
    job *job;
    rag_ready *ready; /* NULL: the job ended */
    size_t bytes;
} item;

struct rag_sync {
    rag *r;
    const rag_ingest_opts *opts;
    const rag_ingest_watch *watch;
    rag_ingest_report *report;
    rag_chunk_opts chunk_opts;
    rag_fit *fit; /* NULL: no built-in model */
    rag_pool *pool;
    double began_ms;
    uint8_t *saw; /* bit per file id */
    size_t saw_bytes;

    size_t n_open; /* jobs given out; the caller's thread only */
    uint64_t open_bytes;
    uint64_t n_given;
    uint64_t n_ended;

    pthread_mutex_t lock; /* of the queue */
    pthread_cond_t filled;
    pthread_cond_t drained;
    item *head;
    item *tail;
    size_t n_queued;
    size_t queued_bytes;
    bool abandon; /* the writer gave up: workers must not wait */
};

/* ---- fingerprints ------------------------------------------------------- */

/* What made a stored version: another text here means that it is read again.
 * type NULL: no reader got that far, so every reader counts. */
static void fingerprint(rag_buf *out, const rag_sync *s, const char *type)
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
    fingerprint(&want, s, type.len != 0 ? name : NULL);
    same =
        want.failed == RAG_OK && rag_str_eq(rag_buf_str(&want), f->fingerprint);
    rag_buf_dispose(&want);
    return same;
}

/* ---- the queue ---------------------------------------------------------- */

/* From a worker: waits while the writer is behind. */
static rag_status put(job *j, rag_ready *ready, size_t bytes, rag_error *err)
{
    rag_sync *s = j->s;
    item *it = rag_calloc(1, sizeof *it);

    if (it == NULL) {
        rag_ready_free(ready);
        return rag_fail_nomem(err);
    }
    it->job = j;
    it->ready = ready;
    it->bytes = bytes;
    (void)pthread_mutex_lock(&s->lock);
    while (ready != NULL && !s->abandon &&
           (s->n_queued >= MAX_QUEUED ||
            (s->n_queued != 0 && s->queued_bytes + bytes > MAX_QUEUED_BYTES)))
        (void)pthread_cond_wait(&s->drained, &s->lock);
    if (s->abandon && ready != NULL) {
        (void)pthread_mutex_unlock(&s->lock);
        rag_ready_free(ready);
        rag_free(it);
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    }
    if (s->tail != NULL)
        s->tail->next = it;
    else
        s->head = it;
    s->tail = it;
    s->n_queued++;
    s->queued_bytes += bytes;
    (void)pthread_cond_signal(&s->filled);
    (void)pthread_mutex_unlock(&s->lock);
    return RAG_OK;
}

static item *take(rag_sync *s, bool wait)
{
    item *it;

    (void)pthread_mutex_lock(&s->lock);
    while (wait && s->head == NULL)
        (void)pthread_cond_wait(&s->filled, &s->lock);
    it = s->head;
    if (it != NULL) {
        s->head = it->next;
        if (s->head == NULL)
            s->tail = NULL;
        s->n_queued--;
        s->queued_bytes -= it->bytes;
        (void)pthread_cond_broadcast(&s->drained);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return it;
}

/* ---- the workers -------------------------------------------------------- */

static rag_status got_doc(void *ctx, rag_doc *doc, rag_error *err)
{
    job *j = ctx;
    rag_ready *ready;
    rag_status st =
        rag_ready_new(&ready, doc, &j->s->chunk_opts, rag_str_of(j->path), err);

    if (st != RAG_OK)
        return st;
    return put(j, ready, ready->doc->text_len, err);
}

static rag_status hash_file(uint8_t out[RAG_SHA256_BYTES], int fd,
                            const rag_sync *s, rag_error *err)
{
    size_t cap = (size_t)1 << 17;
    rag_sha256 *h = rag_sha256_new();
    unsigned char *b = rag_malloc(cap);
    rag_status st = RAG_OK;

    if (h == NULL || b == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    for (;;) {
        ssize_t n = read(fd, b, cap);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = rag_fail_errno(err, errno, "cannot be read");
            goto out;
        }
        if (n == 0)
            break;
        if (rag_flow_cancelled(s->r)) {
            st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
            goto out;
        }
        rag_sha256_add(h, b, (size_t)n);
    }
    rag_sha256_end(h, out);
    if (lseek(fd, 0, SEEK_SET) != 0)
        st = rag_fail_errno(err, errno, "cannot be read again");
out:
    rag_free(b);
    rag_sha256_free(h);
    return st;
}

static bool cancelled(void *ctx)
{
    return rag_flow_cancelled(ctx);
}

static rag_status read_one(job *j, int fd)
{
    const rag_sync *s = j->s;
    rag_doc_opts o = {
        .type = s->opts->type, .cancelled = cancelled, .cancel_ctx = s->r};
    rag_status st = hash_file(j->look.sha256, fd, s, &j->err);

    if (st != RAG_OK)
        return st;
    if (j->may_equal &&
        memcmp(j->look.sha256, j->old_sha, RAG_SHA256_BYTES) == 0) {
        j->same = true;
        return RAG_OK;
    }
    return rag_doc_read(fd, rag_file_base(j->key[0] != '\0' ? j->key : j->path),
                        &o, got_doc, j, &j->err);
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void look_of(rag_store_look *look, const struct stat *sb)
{
    look->size_bytes = sb->st_size;
    look->mtime_ns = ns_of(sb->st_mtim);
    look->ctime_ns = ns_of(sb->st_ctim);
    look->inode = sb->st_ino;
    look->device = sb->st_dev;
    look->looked_ns = rag_flow_wall_ns();
}

static void work(void *arg)
{
    job *j = arg;
    int fd = j->fd;
    struct stat sb;

    if (rag_flow_cancelled(j->s->r)) {
        j->st = rag_fail(&j->err, RAG_E_CANCELLED, "interrupted");
    } else if (fd < 0) {
        fd = rag_walk_open(j->dir_fd, j->name, j->s->opts->follow);
        if (fd < 0)
            j->st = rag_fail_errno(&j->err, errno, "cannot be opened");
        else if (fstat(fd, &sb) != 0)
            j->st = rag_fail_errno(&j->err, errno, "cannot be looked at");
        else if (!S_ISREG(sb.st_mode))
            j->st = rag_fail(&j->err, RAG_E_UNSUPPORTED,
                             "not a regular file any more");
        else
            look_of(&j->look, &sb); /* what is read, not what was listed */
    }
    if (j->st == RAG_OK)
        j->st = read_one(j, fd);
    if (fd >= 0)
        (void)close(fd);
    /* an end without memory for its message must still arrive */
    while (put(j, NULL, 0, NULL) != RAG_OK)
        (void)usleep(1000);
}

/* ---- the writer --------------------------------------------------------- */

static void job_free(job *j)
{
    rag_buf_dispose(&j->warnings);
    rag_free(j->name);
    rag_free(j->root_path);
    rag_free(j->path);
    rag_free(j->key);
    rag_free(j);
}

static void tell_progress(rag_sync *s)
{
    rag_ingest_progress p = {"reading", s->n_ended, 0,
                             (rag_flow_now_ms() - s->began_ms) / 1e3};

    if (s->watch != NULL && s->watch->progress != NULL)
        s->watch->progress(s->watch->ctx, &p);
}

static void count(rag_ingest_report *rep, rag_ingest_result result)
{
    switch (result) {
    case RAG_INGEST_ADDED:
        rep->n_added++;
        break;
    case RAG_INGEST_UPDATED:
        rep->n_updated++;
        break;
    case RAG_INGEST_UNCHANGED:
        rep->n_unchanged++;
        break;
    case RAG_INGEST_REMOVED:
        rep->n_removed++;
        break;
    case RAG_INGEST_FAILED:
        rep->n_failed++;
        break;
    case RAG_INGEST_SKIPPED:
        rep->n_skipped++;
        break;
    case RAG_INGEST_KEPT:
        rep->n_kept++;
        break;
    }
}

static rag_status tell(rag_sync *s, rag_str root, rag_str key,
                       rag_ingest_file *f, rag_str warnings, rag_error *err)
{
    rag_str list[16];
    rag_str line;
    rag_arena arena;
    rag_status st = RAG_OK;

    count(s->report, f->result);
    if (s->watch == NULL || s->watch->file == NULL)
        return RAG_OK;
    rag_arena_init(&arena);
    TRY(rag_flow_shown(&f->path, &f->path_bytes, &arena, s->r, root, key,
                       RAG_STR_LIT(""), err));
    while (f->n_warnings < 16 && rag_str_next_line(&line, &warnings))
        list[f->n_warnings++] = line;
    f->warnings = list;
    s->watch->file(s->watch->ctx, f);
out:
    rag_arena_dispose(&arena);
    return st;
}

rag_status rag_sync_tell(rag_sync *s, rag_str root_path, rag_str key,
                         rag_ingest_result result, rag_str reason,
                         rag_error *err)
{
    rag_ingest_file f = {.result = result, .reason = reason};

    return tell(s, root_path, key, &f, RAG_STR_LIT(""), err);
}

static rag_status write_doc(rag_sync *s, job *j, const rag_ready *ready,
                            rag_error *err)
{
    const rag_doc *d = ready->doc;

    j->n_docs++;
    j->n_chunks += ready->in.n_chunks;
    j->n_chars += ready->n_chars;
    j->n_pages += d->n_pages;
    j->n_empty_pages += d->n_empty_pages;
    j->type = rag_doc_type_name(d->type);
    for (size_t i = 0; i < d->n_warnings; i++)
        rag_buf_addf(&j->warnings, "%s\n", d->warnings[i]);
    s->report->n_tokens += ready->n_tokens;
    if (s->opts->dry_run)
        return RAG_OK;
    if (j->version_id == 0) {
        rag_status st = rag_store_version_begin(
            &j->version_id, s->r->store, j->root_id, rag_str_of(j->key), err);

        if (st != RAG_OK)
            return st;
    }
    return rag_store_doc_add(s->r->store, j->version_id, &ready->in, err);
}

static void info_of(rag_store_file *f, const rag_sync *s, const job *j,
                    rag_buf *fp)
{
    memset(f, 0, sizeof *f);
    fingerprint(fp, s, j->type);
    f->look = j->look;
    f->fingerprint = rag_buf_str(fp);
    f->type = rag_str_of(j->type);
    f->n_docs = (int64_t)j->n_docs;
    f->n_chunks = (int64_t)j->n_chunks;
    f->n_chars = (int64_t)j->n_chars;
    f->n_pages = (int64_t)j->n_pages;
    f->n_empty_pages = (int64_t)j->n_empty_pages;
    f->warnings = rag_buf_str(&j->warnings);
    f->ingested_ns = rag_flow_wall_ns();
    memcpy(f->version_sha256, j->look.sha256, RAG_SHA256_BYTES);
}

static bool is_skip(rag_status st)
{
    return st == RAG_E_EMPTY || st == RAG_E_UNSUPPORTED;
}

/* The job's file could not be read, or there is nothing to read in it. */
static rag_status end_badly(rag_sync *s, job *j, rag_error *err)
{
    rag_ingest_file tf = {.result = RAG_INGEST_FAILED};
    rag_store_file f;
    rag_status st = RAG_OK;
    rag_buf reason;
    rag_buf fp;

    rag_buf_init(&reason, 4096);
    rag_buf_init(&fp, 4096);
    if (!s->opts->dry_run && j->version_id != 0)
        TRY(rag_store_version_drop(s->r->store, j->version_id, err));
    rag_buf_addz(&reason, j->err.msg);
    if (is_skip(j->st) && !j->had_version)
        tf.result = RAG_INGEST_SKIPPED;
    else if (j->had_version)
        rag_buf_addz(&reason, "; its last good version stays searchable "
                              "('rag rm' forgets it)");
    j->type = NULL;
    /* what this machine could not do just now is tried again next time */
    if (j->st == RAG_E_IO || j->st == RAG_E_NOTFOUND)
        j->look.looked_ns = 0;
    info_of(&f, s, j, &fp);
    f.result =
        tf.result == RAG_INGEST_FAILED ? RAG_FILE_FAILED : RAG_FILE_SKIPPED;
    f.reason = rag_buf_str(&reason);
    TRY(rag_buf_status(&reason, err));
    if (!s->opts->dry_run)
        TRY(rag_store_file_note(s->r->store, j->root_id, rag_str_of(j->key), &f,
                                err));
    tf.reason = f.reason;
    TRY(tell(s, rag_str_of(j->root_path), rag_str_of(j->key), &tf,
             RAG_STR_LIT(""), err));
    if (s->opts->strict && tf.result == RAG_INGEST_FAILED)
        st = rag_fail(err, RAG_E_FORMAT, "%s: %s", j->path, reason.ptr);
out:
    rag_buf_dispose(&fp);
    rag_buf_dispose(&reason);
    return st;
}

/* A touched but equal file: only the look is new. */
static rag_status note_look(rag_sync *s, const job *j, rag_error *err)
{
    rag_store_file f;
    rag_arena arena;
    rag_status st;
    bool found;

    rag_arena_init(&arena);
    TRY(rag_store_file_find(&f, &found, s->r->store, j->root_id,
                            rag_str_of(j->key), err));
    if (!found)
        goto out;
    f.look = j->look;
    /* the strings are borrowed until the next call */
    if (f.reason.len != 0)
        s->report->n_partial++; /* the good records of a broken file */
    if (!rag_arena_str(&arena, &f.reason, f.reason) ||
        !rag_arena_str(&arena, &f.fingerprint, f.fingerprint) ||
        !rag_arena_str(&arena, &f.type, f.type) ||
        !rag_arena_str(&arena, &f.warnings, f.warnings)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = rag_store_file_note(s->r->store, j->root_id, rag_str_of(j->key), &f,
                             err);
out:
    rag_arena_dispose(&arena);
    return st;
}

static rag_status end_well(rag_sync *s, job *j, rag_error *err)
{
    rag_ingest_file tf = {.type = rag_str_of(j->type),
                          .n_pages = j->n_pages,
                          .n_empty_pages = j->n_empty_pages,
                          .n_chars = j->n_chars,
                          .n_chunks = j->n_chunks};
    rag_store_file f;
    rag_status st = RAG_OK;
    rag_buf fp;

    rag_buf_init(&fp, 4096);
    info_of(&f, s, j, &fp);
    f.result = RAG_FILE_OK;
    if (j->partial) {
        f.reason = tf.reason = rag_str_of(j->err.msg);
        s->report->n_partial++;
    }
    TRY(rag_buf_status(&j->warnings, err));
    tf.result = j->had_version ? RAG_INGEST_UPDATED : RAG_INGEST_ADDED;
    if (j->same) {
        tf.result = RAG_INGEST_UNCHANGED;
        if (!s->opts->dry_run)
            TRY(note_look(s, j, err));
    } else {
        if (!s->opts->dry_run)
            TRY(rag_store_version_publish(s->r->store, j->version_id, &f, err));
        s->report->n_chunks += j->n_chunks;
    }
    st = tell(s, rag_str_of(j->root_path), rag_str_of(j->key), &tf,
              rag_buf_str(&j->warnings), err);
out:
    rag_buf_dispose(&fp);
    return st;
}

static rag_status end_job(rag_sync *s, job *j, rag_error *err)
{
    rag_status st;
    bool large;

    s->n_open--;
    s->open_bytes -= j->cost_bytes;
    s->n_ended++;
    if (j->st == RAG_OK && !j->same && j->n_docs == 0)
        j->st = rag_fail(&j->err, RAG_E_EMPTY, "nothing in it");
    /* a record file with some bad lines: the good ones are kept, and it is said
     */
    if (j->n_docs != 0 && j->type != NULL && strcmp(j->type, "records") == 0 &&
        (j->st == RAG_E_FORMAT || j->st == RAG_E_LIMIT ||
         j->st == RAG_E_NOTEXT)) {
        j->partial = true;
        j->st = RAG_OK;
    }
    if (j->st == RAG_E_CANCELLED)
        st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
    else if (j->st == RAG_E_NOMEM)
        st = rag_fail(err, RAG_E_NOMEM, "%s: out of memory", j->path);
    else if (j->st != RAG_OK)
        st = end_badly(s, j, err);
    else
        st = end_well(s, j, err);
    tell_progress(s);
    large = j->cost_bytes >= TRIM_BYTES;
    job_free(j);
    if (large)
        rag_mem_trim();
    return st;
}

/* Writes what has arrived; wait: at least one item. */
static rag_status drain(rag_sync *s, bool wait, rag_error *err)
{
    rag_status st = RAG_OK;
    item *it;

    while (st == RAG_OK && (it = take(s, wait)) != NULL) {
        wait = false;
        if (it->ready != NULL) {
            st = write_doc(s, it->job, it->ready, err);
            rag_ready_free(it->ready);
        } else {
            st = end_job(s, it->job, err);
        }
        rag_free(it);
    }
    if (st == RAG_OK && rag_flow_cancelled(s->r))
        st = rag_fail(err, RAG_E_CANCELLED, "interrupted");
    return st;
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
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->filled, NULL);
    (void)pthread_cond_init(&s->drained, NULL);
    st = rag_fit_new(&s->fit, &r->cfg, err);
    if (s->fit != NULL) {
        s->chunk_opts.fits = rag_fit_fits;
        s->chunk_opts.fits_ctx = s->fit;
    }
    return st;
}

void rag_sync_free(rag_sync *s)
{
    item *it;

    if (s == NULL)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->abandon = true;
    (void)pthread_cond_broadcast(&s->drained);
    (void)pthread_mutex_unlock(&s->lock);
    rag_pool_free(s->pool);
    while ((it = take(s, false)) != NULL) {
        if (it->ready != NULL)
            rag_ready_free(it->ready);
        else
            job_free(it->job);
        rag_free(it);
    }
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_cond_destroy(&s->filled);
    (void)pthread_cond_destroy(&s->drained);
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
    return a->size_bytes == sb->st_size && a->mtime_ns == ns_of(sb->st_mtim) &&
           a->ctime_ns == ns_of(sb->st_ctim) && a->inode == sb->st_ino &&
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
    return tell(s, root_path, f->key, &tf, f->warnings, err);
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

static rag_status start(rag_sync *s, job *j, rag_error *err)
{
    rag_status st;

    if (s->pool == NULL) {
        /* the queue never fills: at most n_open jobs are out */
        st = rag_pool_new(&s->pool, s->r->cfg.n_jobs, 4096, err);
        if (st != RAG_OK) {
            job_free(j);
            return st;
        }
    }
    while (s->n_open != 0 &&
           (s->n_open >= rag_pool_threads(s->pool) * 4 ||
            s->open_bytes + j->cost_bytes > MAX_READING_BYTES)) {
        st = drain(s, true, err);
        if (st != RAG_OK) {
            job_free(j);
            return st;
        }
    }
    s->n_open++;
    s->n_given++;
    s->open_bytes += j->cost_bytes;
    rag_pool_submit(s->pool, work, j);
    return drain(s, false, err);
}

static rag_status job_new(job **out, rag_sync *s, rag_str name,
                          rag_str root_path, rag_str key, rag_error *err)
{
    job *j = rag_calloc(1, sizeof *j);
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
        job_free(j);
        return rag_fail_nomem(err);
    }
    *out = j;
    return RAG_OK;
}

rag_status rag_sync_file(rag_sync *s, int dir_fd, rag_str name, int64_t root_id,
                         rag_str root_path, rag_str key, const struct stat *sb,
                         rag_error *err)
{
    rag_store_file f;
    bool known = false;
    rag_status st = RAG_OK;
    job *j;

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
    look_of(&j->look, sb);
    if (known) {
        j->had_version = f.version_id != 0;
        j->may_equal = f.version_id != 0 && f.result == RAG_FILE_OK &&
                       fingerprint_is(s, &f);
        memcpy(j->old_sha, f.version_sha256, RAG_SHA256_BYTES);
    }
    return start(s, j, err);
}

rag_status rag_sync_fd(rag_sync *s, int fd, int64_t root_id, rag_str key,
                       rag_error *err)
{
    rag_store_file f;
    bool known = false;
    rag_status st = RAG_OK;
    job *j;

    if (s->r->store != NULL && root_id != 0)
        st = rag_store_file_find(&f, &known, s->r->store, root_id, key, err);
    if (st != RAG_OK)
        return st;
    st = job_new(&j, s, key, rag_str_of(RAG_FLOW_PIPE_ROOT), key, err);
    if (st != RAG_OK)
        return st;
    j->fd = fd;
    j->root_id = root_id;
    if (known) {
        j->had_version = f.version_id != 0;
        j->may_equal = f.version_id != 0 && f.result == RAG_FILE_OK &&
                       fingerprint_is(s, &f);
        memcpy(j->old_sha, f.version_sha256, RAG_SHA256_BYTES);
    }
    j->look.looked_ns = rag_flow_wall_ns();
    return start(s, j, err);
}

rag_status rag_sync_finish(rag_sync *s, rag_error *err)
{
    rag_status st = RAG_OK;

    while (st == RAG_OK && s->n_open != 0)
        st = drain(s, true, err);
    return st;
}

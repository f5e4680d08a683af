#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_priv.h"

#define DB_NAME "store.db"
#define LOCK_NAME "store.lock"
/* how long a reader waits for recovery or the last close of another process */
#define BUSY_MS 5000
/* how often a waiting writer tries again */
#define LOCK_POLL_MS 50
/* page caches: enough for the inner pages of every table */
#define CACHE_READ "PRAGMA cache_size=-8192"
#define CACHE_WRITE "PRAGMA cache_size=-12288"
/* pages in the log before it is written back: larger than SQLite's 1000, so
 * that pages which change with every commit are written once */
#define CHECKPOINT_PAGES 4000
/* a value larger than this is never stored: what claims to be is damage */
#define MAX_VALUE_BYTES (64 << 20)
#define MAX_SQL_BYTES 100000
/* steps of SQLite between two looks at the cancel callback: about a ms */
#define ASK_OPS 50000

/* ---- SQLite takes its memory from base/mem ----------------------------------
 */

static void *sq_malloc(int n)
{
    return n > 0 ? rag_malloc((size_t)n) : NULL;
}

static void *sq_realloc(void *p, int n)
{
    return n > 0 ? rag_realloc(p, (size_t)n) : NULL;
}

static int sq_size(void *p)
{
    return p != NULL ? (int)malloc_usable_size(p) : 0;
}

static int sq_roundup(int n)
{
    return (n + 7) & ~7;
}

static int sq_init(void *ctx)
{
    (void)ctx;
    return SQLITE_OK;
}

static void sq_shutdown(void *ctx)
{
    (void)ctx;
}

static void configure_once(void)
{
    static const sqlite3_mem_methods methods = {
        sq_malloc,  rag_free, sq_realloc,  sq_size,
        sq_roundup, sq_init,  sq_shutdown, NULL};

    /* refused (and harmless) when somebody has started SQLite already */
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_initialize();
}

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* ---- the writer's lock ------------------------------------------------------
 */

static void write_owner(int fd)
{
    char host[64] = "";
    char line[160];
    int n;

    (void)gethostname(host, sizeof host - 1);
    (void)sqlite3_snprintf((int)sizeof line, line, "%d %s %lld\n",
                           (int)getpid(), host, (long long)time(NULL));
    n = (int)strlen(line);
    /* only a help for people: the lock itself is the kernel's */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)n, 0) != n)
        rag_log(RAG_LOG_DEBUG, "cannot write the owner into the lock file");
}

static rag_status fail_locked(const rag_store *s, int fd, rag_error *err)
{
    char line[160];
    ssize_t n = pread(fd, line, sizeof line - 1, 0);
    rag_str rest;
    size_t space;
    uint64_t pid = 0;

    rest = rag_str_n(line, n > 0 ? (size_t)n : 0);
    space = rag_str_find_char(rest, ' ');
    if (space == SIZE_MAX || !rag_str_u64(&pid, rag_str_cut(rest, 0, space)))
        return rag_fail(err, RAG_E_BUSY,
                        "another rag is writing to %s; --wait SECS waits for "
                        "it",
                        s->dir);
    return rag_fail(err, RAG_E_BUSY,
                    "another rag (pid %llu) is writing to %s; --wait SECS "
                    "waits for it",
                    (unsigned long long)pid, s->dir);
}

static rag_status take_lock(rag_store *s, rag_error *err)
{
    const struct timespec pause = {0, LOCK_POLL_MS * 1000000L};
    uint64_t until = rag_now_ms() + s->opts.wait_ms;
    char *path = rag_file_join(s->dir, LOCK_NAME);
    rag_status st = RAG_OK;

    if (path == NULL)
        return rag_fail_nomem(err);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        st = rag_fail_errno(err, errno, "cannot write to the store %s", s->dir);
        goto out;
    }
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            st = rag_fail_errno(err, errno, "cannot lock %s", path);
            goto out;
        }
        if (rag_cancelled(s)) {
            st = rag_fail_cancelled(err);
            goto out;
        }
        if (rag_now_ms() >= until) {
            st = fail_locked(s, s->lock_fd, err);
            goto out;
        }
        (void)nanosleep(&pause, NULL);
    }
    write_owner(s->lock_fd);
out:
    rag_free(path);
    return st;
}

/* ---- opening the database -------------------------------------------------
 */

/* Private from the first byte. Only when there is none: opening and closing a
 * database that somebody in this process uses would drop its locks. */
static rag_status make_file(rag_store *s, rag_error *err)
{
    int fd = open(s->db_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return RAG_OK;
    if (fd < 0)
        return rag_fail_errno(err, errno, "cannot make %s", s->db_path);
    (void)close(fd); /* nothing was written */
    return RAG_OK;
}

/* A read-only mount without -wal and -shm: nothing can change, so SQLite need
 * not look for them. */
static bool is_frozen(const rag_store *s)
{
    char name[sizeof "-wal"];
    struct statvfs vfs;
    rag_buf path;
    bool frozen = statvfs(s->db_path, &vfs) == 0 && (vfs.f_flag & ST_RDONLY);

    for (int i = 0; i < 2 && frozen; i++) {
        memcpy(name, i == 0 ? "-wal" : "-shm", sizeof name);
        rag_buf_init(&path, 1u << 16);
        rag_buf_addz(&path, s->db_path);
        rag_buf_addz(&path, name);
        frozen = rag_buf_status(&path, NULL) == RAG_OK &&
                 access(path.ptr, F_OK) != 0;
        rag_buf_dispose(&path);
    }
    return frozen;
}

/* The file name as SQLite wants it: a URI when it is frozen; never by chance.
 */
static void db_name(rag_buf *out, const rag_store *s, bool frozen)
{
    if (!frozen) {
        if (s->db_path[0] != '/')
            rag_buf_addz(out, "./");
        rag_buf_addz(out, s->db_path);
        return;
    }
    rag_buf_addz(out, "file:");
    for (const char *p = s->db_path; *p != '\0'; p++) {
        if (*p == '%' || *p == '?' || *p == '#')
            rag_buf_addf(out, "%%%02x", (unsigned)(unsigned char)*p);
        else
            rag_buf_addc(out, *p);
    }
    rag_buf_addz(out, "?immutable=1");
}

static void harden(rag_store *s)
{
    int one = 1;

    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0,
                            NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
    (void)sqlite3_limit(s->db, SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES);
    (void)sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(s->db, SQLITE_LIMIT_TRIGGER_DEPTH, 8);
    /* -wal and -shm stay: who may only read cannot make them */
    (void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &one);
}

/* A database of another user may keep SQLite busy without end. Only for
 * readers: an interrupted writer would lose what it gathered. */
static int ask_cancelled(void *ctx)
{
    return rag_cancelled(ctx);
}

static rag_status journal_wal(rag_store *s, rag_error *err)
{
    sqlite3_stmt *st = NULL;
    bool wal = false;
    int rc =
        sqlite3_prepare_v2(s->db, "PRAGMA journal_mode=WAL", -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        rag_str mode = rag_str_of((const char *)sqlite3_column_text(st, 0));

        wal = rag_str_eqz(mode, "wal");
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK) {
        rag_status fail = rag_db_fail(s, rc, err);

        (void)sqlite3_finalize(st);
        return fail;
    }
    (void)sqlite3_finalize(st);
    if (!wal)
        rag_log(RAG_LOG_WARN,
                "the file system of %s has no shared memory: searches wait "
                "while something is written",
                s->dir);
    return RAG_OK;
}

static rag_status set_up_writer(rag_store *s, rag_error *err)
{
    rag_status st;

    /* the page size counts only for a new file. secure_delete: what is removed
     * is overwritten where that costs no further writes */
    TRY(rag_db_exec(s, "PRAGMA page_size=8192", err));
    TRY(journal_wal(s, err));
    TRY(rag_db_exec(s,
                    CACHE_WRITE ";PRAGMA synchronous=FULL"
                                ";PRAGMA foreign_keys=ON"
                                ";PRAGMA temp_store=MEMORY"
                                ";PRAGMA secure_delete=FAST"
                                ";PRAGMA journal_size_limit=67108864",
                    err));
    (void)sqlite3_wal_autocheckpoint(s->db, CHECKPOINT_PAGES);
out:
    return st;
}

static rag_status open_with(rag_store *s, int access, bool frozen,
                            rag_error *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | access;
    bool empty = false;
    rag_buf name;
    rag_status st;
    int rc;

    flags |= frozen ? SQLITE_OPEN_URI : 0;
    rag_buf_init(&name, 1u << 16);
    db_name(&name, s, frozen);
    TRY(rag_buf_status(&name, err));
    rc = sqlite3_open_v2(name.ptr, &s->db, flags, NULL);
    if (rc != SQLITE_OK) {
        st = s->db == NULL ? rag_fail_nomem(err) : rag_db_fail(s, rc, err);
        goto out;
    }
    harden(s);
    TRY(rag_db_exec(s, "PRAGMA cell_size_check=ON", err));
    if (s->opts.write) {
        TRY(set_up_writer(s, err));
    } else {
        TRY(rag_db_exec(s, CACHE_READ, err));
        if (s->opts.cancelled != NULL)
            sqlite3_progress_handler(s->db, ASK_OPS, ask_cancelled, s);
    }
    TRY(rag_schema_open(&empty, s, err));
    if (empty && !s->opts.write)
        st = rag_fail(err, RAG_E_NOTFOUND,
                      "the store %s is empty: `rag ingest PATH` fills it",
                      s->dir);
out:
    rag_buf_dispose(&name);
    return st;
}

static rag_status open_db(rag_store *s, rag_error *err)
{
    bool frozen = !s->opts.write && is_frozen(s);
    int access = s->opts.write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    rag_status st = open_with(s, access, frozen, err);

    if (st != RAG_E_IO || s->opts.write || s->db == NULL ||
        sqlite3_extended_errcode(s->db) != SQLITE_READONLY_ROLLBACK)
        return st;
    /* the making of the store was interrupted before its log took over: only
     * who may write can undo that */
    (void)sqlite3_close_v2(s->db);
    s->db = NULL;
    return open_with(s, SQLITE_OPEN_READWRITE, frozen, err);
}

/* ---- open and close ---------------------------------------------------------
 */

static rag_status copy_names(rag_store *s, const char *dir, rag_error *err)
{
    s->dir = rag_strdup(dir);
    s->db_path = s->dir != NULL ? rag_file_join(dir, DB_NAME) : NULL;
    if (s->db_path == NULL)
        return rag_fail_nomem(err);
    if (s->opts.state_dir != NULL) {
        s->state_dir = rag_strdup(s->opts.state_dir);
        if (s->state_dir == NULL)
            return rag_fail_nomem(err);
    }
    return RAG_OK;
}

static rag_status find_or_make(rag_store *s, rag_error *err)
{
    bool make = s->opts.write && s->opts.create;
    rag_status st = RAG_OK;

    if (make)
        TRY(rag_file_mkdirs(s->dir, err));
    else if (access(s->db_path, F_OK) != 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? rag_fail(err, RAG_E_NOTFOUND, "there is no store in %s",
                              s->dir)
                   : rag_fail_errno(err, errno, "cannot open the store %s",
                                    s->dir);
    if (s->opts.write)
        TRY(take_lock(s, err));
    if (make)
        TRY(make_file(s, err));
out:
    return st;
}

rag_status rag_store_open(rag_store **out, const char *dir,
                          const rag_store_opts *opts, rag_error *err)
{
    rag_store *s;
    rag_status st;

    *out = NULL;
    if (dir == NULL || dir[0] == '\0' || opts == NULL ||
        (opts->create && !opts->write))
        return rag_fail(err, RAG_E_INVAL, "a store needs a folder");
    (void)pthread_once(&configured, configure_once);
    s = rag_calloc(1, sizeof *s);
    if (s == NULL)
        return rag_fail_nomem(err);
    s->opts = *opts;
    s->lock_fd = -1;
    rag_arena_init(&s->borrowed);
    rag_cache_drop(s);
    TRY(copy_names(s, dir, err));
    TRY(find_or_make(s, err));
    TRY(open_db(s, err));
    *out = s;
    s = NULL;
out:
    rag_store_close(s);
    return st;
}

void rag_store_close(rag_store *s)
{
    if (s == NULL)
        return;
    rag_txn_abort(s);
    rag_index_close(s);
    rag_lex_free(s->lex);
    for (size_t i = 0; i < s->n_stmts; i++)
        (void)sqlite3_finalize(s->stmts[i].st);
    if (s->db != NULL && s->wrote) {
        /* the log goes back into the file as far as no reader needs it; what
         * is left is written back by the next writer */
        (void)sqlite3_busy_timeout(s->db, 0);
        (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                        NULL, NULL);
    }
    (void)sqlite3_close_v2(s->db);
    rag_cache_drop(s);
    rag_arena_dispose(&s->borrowed);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd); /* unlocks */
    rag_free(s->state_dir);
    rag_free(s->db_path);
    rag_free(s->dir);
    rag_free(s);
}

const char *rag_store_dir(const rag_store *s)
{
    return s->dir;
}

rag_status rag_store_flush(rag_store *s, rag_error *err)
{
    return rag_txn_commit(s, err);
}

rag_status rag_store_read_begin(rag_store *s, rag_error *err)
{
    return rag_view_begin(s, err);
}

void rag_store_read_end(rag_store *s)
{
    rag_view_end(s);
}

/* ---- settings of the store
 * --------------------------------------------------- */

rag_status rag_store_meta_get(rag_buf *out, bool *found, rag_store *s,
                              const char *key, rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    *found = false;
    TRY(rag_q_open(&q, s, "SELECT value FROM meta WHERE key=?1", err));
    rag_q_text(&q, rag_str_of(key));
    TRY(rag_q_step(found, &q, err));
    if (*found) {
        rag_buf_adds(out, rag_q_str(&q, 0));
        st = rag_buf_status(out, err);
    }
out:
    rag_q_close(&q);
    return st;
}

rag_status rag_store_meta_set(rag_store *s, const char *key, rag_str value,
                              rag_error *err)
{
    rag_q q = {0};
    rag_status st;

    TRY(rag_txn_begin(s, err));
    TRY(rag_q_open(
        &q, s, "INSERT OR REPLACE INTO meta(key,value) VALUES(?1,?2)", err));
    rag_q_text(&q, rag_str_of(key));
    rag_q_blob(&q, value);
    TRY(rag_q_run(&q, err));
out:
    rag_q_close(&q);
    return rag_txn_done(s, st, value.len, err);
}

const char *rag_store_sqlite_version(void)
{
    return SQLITE_VERSION;
}

const char *rag_store_faiss_version(void)
{
    return rag_vindex_faiss_version();
}

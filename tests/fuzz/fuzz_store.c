/*
 * A store that anybody may have written: listing, showing, searching, checking
 * and tidying it end well or with an error.
 *
 * Input: changes of a good store. A first byte below 0x80 names a column and is
 * followed by a row's number, a length, and so many bytes: the blob or text, or
 * the number, that is written there. One from 0x80 on is followed by 3 bytes of
 * offset and one that is written there in the file.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "base/mem.h"
#include "rag.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DIMS 4u

static const struct {
    const char *table;
    const char *column;
    bool is_number;
} columns[] = {
    {"state", "next_chunk", true},
    {"state", "n_chunks", true},
    {"state", "next_vector", true},
    {"state", "generation", true},
    {"version", "n_docs", true},
    {"version", "state", true},
    {"version", "type", false},
    {"version", "warnings", false},
    {"doc", "first_chunk", true},
    {"doc", "n_chunks", true},
    {"doc", "text_bytes", true},
    {"doc", "n_sections", true},
    {"doc", "n_pages", true},
    {"doc", "page_starts", false},
    {"doc", "title", false},
    {"doc", "meta", false},
    {"piece", "start", true},
    {"piece", "body", false},
    {"section", "parent", true},
    {"section", "start", true},
    {"section", "end", true},
    {"section", "heading", false},
    {"chunk", "start", true},
    {"chunk", "end", true},
    {"chunk", "context_start", true},
    {"chunk", "context_end", true},
    {"chunk", "section", true},
    {"chunk", "line", true},
    {"chunk", "doc_id", true},
    {"chunk", "stable_id", false},
    {"bits", "data", false},
    {"nums", "data", false},
    {"vector", "data", false},
    {"vector", "key", false},
    {"space", "dims", true},
    {"space", "state", true},
    {"lex_segment", "n_chunks", true},
    {"lex_block", "data", false},
    {"lex_list", "data", false},
    {"lex_chunk", "data", false},
    {"file", "key", false},
    {"root", "path", false},
};

static char top[] = "/tmp/rag_fuzz_XXXXXX";
static char dir[64], path[80], docs[80], state[80];
static rag_buf good;

static void need(bool ok)
{
    if (!ok)
        abort();
}

/* It went well, or it says why not. */
static void told(rag_status st, const rag_error *err)
{
    need(st == RAG_OK || err->msg[0] != '\0');
}

static void drop(void)
{
    char cmd[128];

    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", top);
    if (system(cmd) != 0)
        perror(top);
}

static rag_config config(void)
{
    return (rag_config){.store_dir = dir,
                        .state_dir = state,
                        .data_dir = state,
                        .cwd = top,
                        .embed_model = "none",
                        .retrieve_k = 8,
                        .retrieve_dense_weight = -1,
                        .n_jobs = 1};
}

static void put_file(const char *name, const void *bytes, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    need(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

static void add_vectors(void)
{
    rag_store_opts o = {.write = true, .state_dir = state};
    rag_store_space space;
    uint8_t keys[8 * RAG_STORE_KEY_BYTES] = {0};
    float v[8 * DIMS] = {0};
    int64_t ids[8];
    rag_store *s;
    size_t n;

    need(rag_store_open(&s, dir, &o, NULL) == RAG_OK);
    need(rag_store_space_put(&space, s, RAG_STR_LIT("m"), RAG_STR_LIT("m"),
                             DIMS, NULL) == RAG_OK);
    need(rag_store_unembedded(ids, &n, 8, s, space.id, 0, NULL) == RAG_OK);
    for (size_t i = 0; i < n; i++) {
        keys[i * RAG_STORE_KEY_BYTES] = (uint8_t)(i + 1);
        v[i * DIMS + i % DIMS] = 1.0f;
    }
    need(n != 0 &&
         rag_store_vectors_put(s, space.id, ids, keys, v, n, NULL) == RAG_OK);
    rag_store_close(s);
}

/* A store of two documents with vectors, once. */
static void make_good(void)
{
    static const char md[] = "# Alpha\n\nThe alpha valve opens.\n\n## Beta\n\n"
                             "| a | b |\n|---|---|\n| 1 | beta |\n";
    static const char text[] = "one alpha line\nanother line about gamma\n";
    const rag_config cfg = config();
    const char *const paths[] = {docs};
    rag_ingest_opts o = {.paths = paths, .n_paths = 1, .stdin_fd = -1};
    rag_ingest_report rep;
    char name[128];
    rag *r;

    need(mkdir(docs, 0700) == 0 && mkdir(state, 0700) == 0);
    (void)snprintf(name, sizeof name, "%s/a.md", docs);
    put_file(name, md, sizeof md - 1);
    (void)snprintf(name, sizeof name, "%s/b.txt", docs);
    put_file(name, text, sizeof text - 1);
    need(rag_open(&r, &cfg, RAG_OPEN_CREATE, 0, NULL) == RAG_OK);
    need(rag_ingest(&rep, r, &o, NULL, NULL) == RAG_OK);
    rag_close(r);
    add_vectors();
    rag_buf_init(&good, (size_t)1 << 24);
    need(rag_file_read(&good, path, (size_t)1 << 23, NULL) == RAG_OK);
}

static void init(void)
{
    need(mkdtemp(top) != NULL);
    (void)atexit(drop);
    (void)snprintf(dir, sizeof dir, "%s/st", top);
    (void)snprintf(path, sizeof path, "%s/store.db", dir);
    (void)snprintf(docs, sizeof docs, "%s/docs", top);
    (void)snprintf(state, sizeof state, "%s/state", top);
    make_good();
}

/* The good store's file, without what other runs left beside it. */
static void restore(void)
{
    char cmd[160];

    (void)snprintf(cmd, sizeof cmd, "%s-wal", path);
    (void)unlink(cmd);
    (void)snprintf(cmd, sizeof cmd, "%s-shm", path);
    (void)unlink(cmd);
    put_file(path, good.ptr, good.len);
}

static void change_row(sqlite3 *db, size_t which, unsigned row,
                       const uint8_t *bytes, size_t n)
{
    int64_t number = 0;
    sqlite3_stmt *stmt;
    char sql[256];

    (void)snprintf(sql, sizeof sql,
                   "UPDATE %s SET \"%s\"=?1 WHERE rowid IN "
                   "(SELECT rowid FROM %s LIMIT 1 OFFSET %u)",
                   columns[which].table, columns[which].column,
                   columns[which].table, row);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return; /* a page was damaged before */
    memcpy(&number, bytes, n < sizeof number ? n : sizeof number);
    if (columns[which].is_number)
        sqlite3_bind_int64(stmt, 1, number);
    else
        sqlite3_bind_blob64(stmt, 1, bytes, n, SQLITE_STATIC);
    /* a column of text does not take a blob */
    if (sqlite3_step(stmt) != SQLITE_DONE && !columns[which].is_number) {
        sqlite3_reset(stmt);
        sqlite3_bind_text64(stmt, 1, (const char *)bytes, n, SQLITE_STATIC,
                            SQLITE_UTF8);
        (void)sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
}

static void change(const uint8_t *data, size_t size)
{
    sqlite3 *db = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    need(fd >= 0 && sqlite3_open(path, &db) == SQLITE_OK);
    (void)sqlite3_exec(db, "PRAGMA journal_mode=DELETE;PRAGMA synchronous=OFF",
                       NULL, NULL, NULL);
    while (size >= 5) {
        size_t n = data[2];

        if (data[0] >= 0x80) {
            off_t at = (off_t)data[1] << 16 | (off_t)data[2] << 8 | data[3];

            if (at < (off_t)good.len)
                need(pwrite(fd, data + 4, 1, at) == 1);
            data += 5;
            size -= 5;
            continue;
        }
        n = n < size - 3 ? n : size - 3;
        change_row(db, data[0] % (sizeof columns / sizeof columns[0]), data[1],
                   data + 3, n);
        data += 3 + n;
        size -= 3 + n;
    }
    sqlite3_close(db);
    (void)close(fd);
}

static rag_status on_document(void *ctx, const rag_document *d, rag_error *err)
{
    rag_shown *shown = NULL;

    if (rag_show(&shown, ctx, d->name, false, err) == RAG_OK)
        rag_shown_free(shown);
    return RAG_OK;
}

static void use(void)
{
    const rag_config cfg = config();
    rag_search_opts o = {.mode = RAG_LEXICAL, .k = 5, .explain = true};
    rag_state *st = NULL;
    rag_hits *hits = NULL;
    rag_error err;
    rag *r;

    if (rag_open(&r, &cfg, RAG_OPEN_READ, 0, &err) != RAG_OK)
        return;
    if (rag_search(&hits, r, RAG_STR_LIT("alpha \"valve opens\" -gamma"), &o,
                   &err) == RAG_OK)
        rag_hits_free(hits);
    if (rag_state_get(&st, r, &err) == RAG_OK)
        rag_state_free(st);
    told(rag_list(r, NULL, true, on_document, r, &err), &err);
    rag_close(r);
}

static void say(void *ctx, const char *how, const char *what,
                const char *detail, const char *mend)
{
    (void)ctx;
    (void)mend;
    need(how != NULL && what != NULL && detail != NULL);
}

static void mend(void)
{
    static const float query[DIMS] = {1.0f};
    rag_store_opts o = {.write = true, .state_dir = state};
    rag_store_hit hits[4];
    const char *warning;
    rag_error err;
    rag_store *s;
    size_t n;

    if (rag_store_open(&s, dir, &o, &err) != RAG_OK)
        return;
    if (rag_store_dense(hits, &n, 4, s, query, DIMS, NULL, &warning, &err) ==
        RAG_OK)
        need(n <= 4);
    told(rag_store_check(s, false, say, NULL, &err), &err);
    told(rag_store_tidy(s, false, &err), &err);
    rag_store_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (good.len == 0)
        init();
    restore();
    change(data, size);
    use();
    mend();
    return 0;
}

#include "store_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>

/* ---- documents and versions -----------------------------------------------
 */

typedef struct names {
    char text[2000];
    size_t n;
} names;

static rag_status add_file(void *ctx, const rag_store_file *f, rag_error *err)
{
    names *x = ctx;

    (void)err;
    (void)snprintf(x->text + strlen(x->text), 100, "%.*s:%lld ",
                   (int)f->key.len, f->key.ptr, (long long)f->n_chunks);
    x->n++;
    return RAG_OK;
}

static rag_status add_doc(void *ctx, const rag_store_doc *d, rag_error *err)
{
    names *x = ctx;

    (void)err;
    (void)snprintf(x->text + strlen(x->text), 100, "%.*s/%.*s#%.*s ",
                   (int)d->root_path.len, d->root_path.ptr, (int)d->key.len,
                   d->key.ptr, (int)d->record_id.len, d->record_id.ptr);
    x->n++;
    return RAG_OK;
}

static void test_life(void **state)
{
    fix f;
    rag_store_file file;
    rag_store_stats st;
    names x = {"", 0};
    bool found;

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 4, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "wordbee", &f.err), 4);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.n_files, 2);
    assert_int_equal(st.n_docs, 2);
    assert_int_equal(st.n_chunks, 10);
    assert_true(st.words_fresh);

    fix_reopen(&f, false);
    OK(rag_store_files(f.s, f.root, add_file, &x, &f.err), &f.err);
    assert_string_equal(x.text, "a.txt:6 b.txt:4 ");
    OK(rag_store_file_find(&file, &found, f.s, f.root, RAG_STR_LIT("b.txt"),
                           &f.err),
       &f.err);
    assert_true(found);
    assert_true(rag_str_eqz(file.fingerprint, "fp/1"));
    assert_true(rag_str_eqz(file.type, "text"));
    assert_true(rag_str_eqz(file.warnings, "careful"));
    assert_int_equal(file.look.sha256[0], 4);
    assert_int_equal(file.version_sha256[0], 4);
    assert_int_equal(file.n_docs, 1);
    OK(rag_store_file_find(&file, &found, f.s, f.root, RAG_STR_LIT("c"),
                           &f.err),
       &f.err);
    assert_false(found);
    memset(&x, 0, sizeof x);
    OK(rag_store_docs(f.s, 0, add_doc, &x, &f.err), &f.err);
    assert_string_equal(x.text, "/docs/a.txt# /docs/b.txt# ");
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

/* A new version takes the place of the old one; what was never published is
 * never seen. */
static void test_versions(void **state)
{
    fix f;
    int64_t version;
    int64_t old;
    int64_t id;
    bool found;
    rag_store_file info = fix_info(9);
    rag_store_stats st;
    rag_arena arena;
    rag_store_chunk chunk;

    (void)state;
    fix_init(&f);
    rag_arena_init(&arena);
    OK(fix_put(f.s, f.root, "a.txt", "old", 3, &f.err), &f.err);
    OK(rag_store_chunk_of(&old, &found, f.s, RAG_STR_LIT("old-1"), &f.err),
       &f.err);
    assert_true(found);
    OK(rag_store_version_begin(&version, f.s, f.root, RAG_STR_LIT("a.txt"),
                               &f.err),
       &f.err);
    OK(fix_doc(f.s, version, "new", 5, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "wordold", &f.err), 3);
    assert_int_equal(fix_df(f.s, "wordnew", &f.err), 0);
    OK(rag_store_version_publish(f.s, version, &info, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "wordold", &f.err), 0);
    assert_int_equal(fix_df(f.s, "wordnew", &f.err), 5);
    assert_int_equal(rag_store_version_publish(f.s, version, &info, &f.err),
                     RAG_E_INVAL);
    assert_int_equal(rag_store_chunk_get(&chunk, &arena, f.s, old, &f.err),
                     RAG_E_NOTFOUND);
    OK(rag_store_chunk_of(&id, &found, f.s, RAG_STR_LIT("old-1"), &f.err),
       &f.err);
    assert_false(found);

    OK(rag_store_version_begin(&version, f.s, f.root, RAG_STR_LIT("x.txt"),
                               &f.err),
       &f.err);
    OK(fix_doc(f.s, version, "never", 2, &f.err), &f.err);
    OK(rag_store_version_drop(f.s, version, &f.err), &f.err);
    assert_int_equal(fix_doc(f.s, version, "never", 2, &f.err), RAG_E_INVAL);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.n_files, 1);
    assert_int_equal(st.n_chunks, 5);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "wordnew", &f.err), 5);
    fix_sound(f.s, &f.err);
    rag_arena_dispose(&arena);
    fix_done(&f);
}

static int64_t count_rows(const fix *f, const char *sql)
{
    char path[120];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    int64_t n;

    (void)snprintf(path, sizeof path, "%s/store.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    return n;
}

/* Rows of replaced versions go, in tidy; nothing of them stays behind. */
static void test_sweep(void **state)
{
    fix f;

    (void)state;
    fix_init(&f);
    for (int i = 0; i < 5; i++)
        OK(fix_put(f.s, f.root, "a.txt", "same", 2500, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    assert_int_equal(count_rows(&f, "SELECT count(*) FROM chunk"), 12500);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    fix_reopen(&f, true);
    assert_int_equal(count_rows(&f, "SELECT count(*) FROM version"), 1);
    assert_int_equal(count_rows(&f, "SELECT count(*) FROM doc"), 1);
    assert_int_equal(count_rows(&f, "SELECT count(*) FROM chunk"), 2500);
    assert_int_equal(count_rows(&f, "SELECT count(*) FROM section"), 2);
    assert_int_equal(count_rows(&f, "SELECT sum(length(body)) FROM piece"),
                     (int64_t)fix_stats(f.s, &f.err).text_bytes);
    assert_int_equal(fix_df(f.s, "wordsame", &f.err), 2500);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

static void test_chunk(void **state)
{
    fix f;
    rag_arena arena;
    rag_store_chunk c;
    int64_t id;
    bool found;
    rag_buf buf;

    (void)state;
    fix_init(&f);
    rag_arena_init(&arena);
    rag_buf_init(&buf, 1 << 20);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(rag_store_chunk_of(&id, &found, f.s, RAG_STR_LIT("ay-4"), &f.err),
       &f.err);
    assert_true(found);
    OK(rag_store_chunk_get(&c, &arena, f.s, id, &f.err), &f.err);
    assert_true(rag_str_eqz(c.text, "worday shared line 4\n"));
    assert_true(rag_str_eqz(c.root_path, "/docs"));
    assert_true(rag_str_eqz(c.key, "a.txt"));
    assert_true(rag_str_eqz(c.title, "Title"));
    assert_true(rag_str_eqz(c.stable_id, "ay-4"));
    assert_int_equal(c.n_headings, 2);
    assert_true(rag_str_eqz(c.headings[0], "One"));
    assert_true(rag_str_eqz(c.headings[1], "Two"));
    assert_int_equal(c.section_start, 63);
    assert_int_equal(c.page, 2);
    assert_int_equal(c.line, 5);
    assert_int_equal(c.look.size_bytes, 6);
    assert_int_equal(c.context.len, 0);
    OK(rag_store_text(&buf, f.s, c.doc_id, c.start, c.end, &f.err), &f.err);
    assert_true(rag_str_eq(rag_buf_str(&buf), c.text));
    rag_buf_clear(&buf);
    OK(rag_store_pages(&buf, f.s, c.doc_id, &f.err), &f.err);
    assert_int_equal(buf.len, 16);
    rag_buf_dispose(&buf);
    rag_arena_dispose(&arena);
    fix_done(&f);
}

/* Text of several pieces comes back byte for byte, from any offset; no piece
 * cuts a code point. */
static void test_pieces(void **state)
{
    const size_t n = 200001;
    fix f;
    char *text = malloc(n);
    rag_store_doc_in doc;
    rag_store_file info = fix_info(1);
    rag_store_doc found_doc;
    rag_arena arena;
    rag_buf buf;
    int64_t version;
    bool found;

    (void)state;
    assert_non_null(text);
    fix_init(&f);
    rag_arena_init(&arena);
    memset(&doc, 0, sizeof doc);
    for (size_t i = 0; i < n; i++) /* three-byte code points: U+AC00 */
        text[i] = "\xea\xb0\x80"[i % 3];
    doc.text = rag_str_n(text, n);
    OK(rag_store_version_begin(&version, f.s, f.root, RAG_STR_LIT("big"),
                               &f.err),
       &f.err);
    OK(rag_store_doc_add(f.s, version, &doc, &f.err), &f.err);
    OK(rag_store_version_publish(f.s, version, &info, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    OK(rag_store_doc_find(&found_doc, &found, &arena, f.s, 1, RAG_STR_LIT(""),
                          &f.err),
       &f.err);
    assert_true(found);
    assert_int_equal(found_doc.text_bytes, n);
    for (size_t at = 0; at < n; at += 7777) {
        size_t end = at + 40000 < n ? at + 40000 : n;

        rag_buf_init(&buf, n);
        OK(rag_store_text(&buf, f.s, found_doc.id, at, end, &f.err), &f.err);
        assert_int_equal(buf.len, end - at);
        assert_memory_equal(buf.ptr, text + at, end - at);
        rag_buf_dispose(&buf);
    }
    assert_int_equal(count_rows(&f, "SELECT count(*) FROM piece"
                                    " WHERE length(body)%3<>0"),
                     0);
    assert_int_equal(count_rows(&f, "SELECT max(length(body))<=65536"
                                    " FROM piece"),
                     1);
    free(text);
    rag_arena_dispose(&arena);
    fix_done(&f);
}

static void test_records(void **state)
{
    fix f;
    rag_store_doc_in doc;
    rag_store_doc got;
    rag_store_file info = fix_info(1);
    rag_arena arena;
    names x = {"", 0};
    int64_t version;
    bool found;

    (void)state;
    fix_init(&f);
    rag_arena_init(&arena);
    OK(rag_store_version_begin(&version, f.s, f.root, RAG_STR_LIT("c.jsonl"),
                               &f.err),
       &f.err);
    for (int i = 0; i < 3; i++) {
        memset(&doc, 0, sizeof doc);
        doc.text = RAG_STR_LIT("text");
        doc.record_id = i == 0   ? RAG_STR_LIT("z")
                        : i == 1 ? RAG_STR_LIT("m")
                                 : RAG_STR_LIT("a");
        doc.record_line = (uint64_t)i + 1;
        OK(rag_store_doc_add(f.s, version, &doc, &f.err), &f.err);
    }
    OK(rag_store_version_publish(f.s, version, &info, &f.err), &f.err);
    OK(rag_store_docs(f.s, 0, add_doc, &x, &f.err), &f.err);
    assert_string_equal(x.text,
                        "/docs/c.jsonl#z /docs/c.jsonl#m /docs/c.jsonl#a ");
    OK(rag_store_doc_find(&got, &found, &arena, f.s, 1, RAG_STR_LIT("m"),
                          &f.err),
       &f.err);
    assert_true(found);
    assert_int_equal(got.record_line, 2);
    OK(rag_store_doc_find(&got, &found, &arena, f.s, 1, RAG_STR_LIT("q"),
                          &f.err),
       &f.err);
    assert_false(found);
    rag_arena_dispose(&arena);
    fix_done(&f);
}

static void test_bad_documents(void **state)
{
    fix f;
    rag_store_doc_in doc;
    rag_store_chunk_in chunk;
    rag_store_section section;
    uint64_t page = 9;
    int64_t version;

    (void)state;
    fix_init(&f);
    OK(rag_store_version_begin(&version, f.s, f.root, RAG_STR_LIT("x"), &f.err),
       &f.err);
    memset(&doc, 0, sizeof doc);
    memset(&chunk, 0, sizeof chunk);
    memset(&section, 0, sizeof section);
    doc.text = RAG_STR_LIT("text");
    doc.page_starts = &page;
    doc.n_pages = 1;
    assert_int_equal(rag_store_doc_add(f.s, version, &doc, &f.err),
                     RAG_E_INVAL);
    doc.n_pages = 0;
    doc.chunks = &chunk;
    doc.n_chunks = 1;
    chunk.end = 5;
    chunk.section = UINT32_MAX;
    assert_int_equal(rag_store_doc_add(f.s, version, &doc, &f.err),
                     RAG_E_INVAL);
    chunk.end = 4;
    chunk.section = 0;
    assert_int_equal(rag_store_doc_add(f.s, version, &doc, &f.err),
                     RAG_E_INVAL);
    doc.sections = &section;
    doc.n_sections = 1;
    section.parent = 0; /* itself */
    assert_int_equal(rag_store_doc_add(f.s, version, &doc, &f.err),
                     RAG_E_INVAL);
    section.parent = UINT32_MAX;
    memset(chunk.stable_id, 'x', sizeof chunk.stable_id);
    assert_int_equal(rag_store_doc_add(f.s, version, &doc, &f.err),
                     RAG_E_INVAL);
    chunk.stable_id[3] = '\0';
    OK(rag_store_doc_add(f.s, version, &doc, &f.err), &f.err);
    assert_int_equal(rag_store_doc_add(f.s, 99, &doc, &f.err), RAG_E_NOTFOUND);
    fix_done(&f);
}

/* ---- files ----------------------------------------------------------------
 */

static void test_files(void **state)
{
    fix f;
    rag_store_file info = fix_info(50);
    rag_store_file got;
    rag_store_stats st;
    bool found;
    int64_t other;
    names x = {"", 0};

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 3, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 3, &f.err), &f.err);
    info.result = RAG_FILE_FAILED;
    info.reason = RAG_STR_LIT("broken");
    OK(rag_store_file_note(f.s, f.root, RAG_STR_LIT("a.txt"), &info, &f.err),
       &f.err);
    OK(rag_store_file_note(f.s, f.root, RAG_STR_LIT("bad.pdf"), &info, &f.err),
       &f.err);
    info.result = RAG_FILE_SKIPPED;
    OK(rag_store_file_note(f.s, f.root, RAG_STR_LIT("x.bin"), &info, &f.err),
       &f.err);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.n_files, 2);
    assert_int_equal(st.n_failed, 2);
    assert_int_equal(st.n_stale, 1);
    assert_int_equal(st.n_skipped, 1);
    OK(rag_store_file_find(&got, &found, f.s, f.root, RAG_STR_LIT("a.txt"),
                           &f.err),
       &f.err);
    assert_int_equal(got.result, RAG_FILE_FAILED);
    assert_true(rag_str_eqz(got.reason, "broken"));
    assert_int_equal(got.n_chunks, 3); /* the last good version stays */
    assert_int_equal(fix_df(f.s, "worday", &f.err), 3);

    OK(rag_store_root_put(&other, f.s, RAG_STR_LIT("/other"), true,
                          RAG_STR_LIT("x"), &f.err),
       &f.err);
    OK(rag_store_file_move(f.s, got.id, other, RAG_STR_LIT("m.txt"), &f.err),
       &f.err);
    assert_int_equal(fix_df(f.s, "worday", &f.err), 3);
    OK(rag_store_files(f.s, other, add_file, &x, &f.err), &f.err);
    assert_string_equal(x.text, "m.txt:3 ");
    assert_int_equal(rag_store_root_drop(f.s, other, &f.err), RAG_E_INVAL);
    OK(rag_store_file_remove(f.s, got.id, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "worday", &f.err), 0);
    assert_int_equal(rag_store_file_remove(f.s, got.id, &f.err),
                     RAG_E_NOTFOUND);
    OK(rag_store_root_drop(f.s, other, &f.err), &f.err);
    st = fix_stats(f.s, &f.err);
    assert_int_equal(st.n_files, 1);
    assert_int_equal(st.n_failed, 1);
    assert_int_equal(st.n_stale, 0);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

static void test_meta(void **state)
{
    fix f;
    rag_buf b;
    bool found;

    (void)state;
    fix_init(&f);
    rag_buf_init(&b, 100);
    OK(rag_store_meta_get(&b, &found, f.s, "no", &f.err), &f.err);
    assert_false(found);
    OK(rag_store_meta_set(f.s, "k", RAG_STR_LIT("v1"), &f.err), &f.err);
    OK(rag_store_meta_set(f.s, "k", RAG_STR_LIT("v2"), &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    fix_reopen(&f, false);
    OK(rag_store_meta_get(&b, &found, f.s, "k", &f.err), &f.err);
    assert_true(found);
    assert_true(rag_str_eqz(rag_buf_str(&b), "v2"));
    assert_int_equal(rag_store_meta_set(f.s, "k", RAG_STR_LIT("v3"), &f.err),
                     RAG_E_INVAL);
    rag_buf_dispose(&b);
    fix_done(&f);
}

/* ---- opening ----------------------------------------------------------------
 */

static void test_open(void **state)
{
    fix f;
    rag_store *s = NULL;
    rag_store_opts o = {.write = false};
    struct stat sb;
    char path[120];
    sqlite3 *db;

    (void)state;
    fix_init(&f);
    assert_int_equal(rag_store_open(&s, "/nonexistent/x", &o, &f.err),
                     RAG_E_NOTFOUND);
    assert_null(s);
    assert_int_equal(stat(f.dir, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0700);
    for (int i = 0; i < 4; i++) {
        static const char *const names_of[] = {"store.db", "store.db-wal",
                                               "store.db-shm", "store.lock"};

        (void)snprintf(path, sizeof path, "%s/%s", f.dir, names_of[i]);
        assert_int_equal(stat(path, &sb), 0);
        assert_int_equal(sb.st_mode & 0777, 0600);
    }
    /* a second writer is told who is there */
    assert_int_equal(fix_open(&s, &f, true, &f.err), RAG_E_BUSY);
    (void)snprintf(path, sizeof path, "pid %d", (int)getpid());
    assert_non_null(strstr(f.err.msg, path));
    rag_store_close(f.s);
    f.s = NULL;

    /* a newer schema, another program's file, no database at all */
    (void)snprintf(path, sizeof path, "%s/store.db", f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);
    assert_int_equal(fix_open(&s, &f, false, &f.err), RAG_E_CORRUPT);
    assert_non_null(strstr(f.err.msg, "newer version"));
    assert_int_equal(fix_open(&s, &f, true, &f.err), RAG_E_CORRUPT);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA user_version=1;"
                                  "PRAGMA application_id=7",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    assert_int_equal(fix_open(&s, &f, false, &f.err), RAG_E_CORRUPT);
    assert_int_equal(truncate(path, 0), 0);
    fix_done(&f);
}

/* A folder made by hand, and a file that a crash left empty. */
static void test_open_empty(void **state)
{
    fix f;
    rag_store *s = NULL;
    char path[120];
    int fd;

    (void)state;
    fix_init(&f);
    fix_done(&f);
    assert_int_equal(mkdir(f.base, 0700), 0);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    assert_int_equal(fix_open(&s, &f, false, &f.err), RAG_E_NOTFOUND);
    (void)snprintf(path, sizeof path, "%s/store.db", f.dir);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(fix_open(&s, &f, false, &f.err), RAG_E_NOTFOUND);
    OK(fix_open(&f.s, &f, true, &f.err), &f.err);
    fix_done(&f);
}

/* ---- words ------------------------------------------------------------------
 */

static void set_words_version(const fix *f, const char *version)
{
    char path[120];
    char sql[120];
    sqlite3 *db;

    (void)snprintf(path, sizeof path, "%s/store.db", f->dir);
    (void)snprintf(sql, sizeof sql, "UPDATE state SET words_version='%s'",
                   version);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

/* Other word rules: the index is built again from the stored text. */
static void test_words_rebuild(void **state)
{
    fix f;
    rag_store_hit hits[10];
    rag_store_term t;
    size_t n;

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 3, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    rag_store_close(f.s);
    f.s = NULL;
    set_words_version(&f, "words/0");
    fix_reopen(&f, true);
    assert_false(fix_stats(f.s, &f.err).words_fresh);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    assert_true(fix_stats(f.s, &f.err).words_fresh);
    assert_int_equal(fix_df(f.s, "wordbee", &f.err), 3);
    assert_int_equal(fix_df(f.s, "title", &f.err), 9); /* headings too */
    t = fix_term("wordbee");
    OK(rag_store_lexical(hits, &n, 10, f.s, &t, 1, NULL, &f.err), &f.err);
    assert_int_equal(n, 3);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

static bool accept_b(void *ctx, const rag_store_doc *d)
{
    (*(unsigned *)ctx)++;
    return rag_str_eqz(d->key, "b.txt");
}

static void test_filter(void **state)
{
    fix f;
    rag_store_filter *filter;
    rag_store_hit hits[10];
    rag_store_term t;
    unsigned asked = 0;
    size_t n;

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 3, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    fix_reopen(&f, false);
    OK(rag_store_filter_new(&filter, f.s, accept_b, &asked, &f.err), &f.err);
    assert_int_equal(asked, 2);
    t = fix_term("shared");
    OK(rag_store_lexical(hits, &n, 10, f.s, &t, 1, NULL, &f.err), &f.err);
    assert_int_equal(n, 9);
    OK(rag_store_lexical(hits, &n, 10, f.s, &t, 1, filter, &f.err), &f.err);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_true(hits[i].chunk_id >= 7);
    rag_store_filter_free(filter);
    fix_done(&f);
}

/* ---- two at a time
 * ------------------------------------------------------------ */

/* A reader between begin and end sees one state, whatever is written; and
 * catches up afterwards. */
static void test_snapshot(void **state)
{
    fix f;
    rag_store *r;
    rag_store_stats st;

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    OK(fix_open(&r, &f, false, &f.err), &f.err);
    OK(rag_store_read_begin(r, &f.err), &f.err);
    assert_int_equal(fix_stats(r, &f.err).n_chunks, 6);
    OK(fix_put(f.s, f.root, "b.txt", "bee", 3, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "a.txt", "other", 2, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    assert_int_equal(fix_df(r, "worday", &f.err), 6);
    assert_int_equal(fix_df(r, "wordbee", &f.err), 0);
    st = fix_stats(r, &f.err);
    assert_int_equal(st.n_chunks, 6);
    rag_store_read_end(r);
    assert_int_equal(fix_df(r, "worday", &f.err), 0);
    assert_int_equal(fix_df(r, "wordbee", &f.err), 3);
    assert_int_equal(fix_stats(r, &f.err).n_chunks, 5);
    rag_store_close(r);
    fix_done(&f);
}

/* What was not flushed is not there afterwards. */
static void test_unflushed(void **state)
{
    fix f;

    (void)state;
    fix_init(&f);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    fix_reopen(&f, true);
    assert_int_equal(fix_stats(f.s, &f.err).n_chunks, 0);
    assert_int_equal(fix_df(f.s, "worday", &f.err), 0);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

/* A writing call inside a reading one is refused, and harms nothing. */
static rag_status write_inside(void *ctx, const rag_store_file *file,
                               rag_error *err)
{
    fix *f = ctx;

    (void)file;
    assert_int_equal(rag_store_meta_set(f->s, "k", RAG_STR_LIT("v"), err),
                     RAG_E_INVAL);
    return RAG_OK;
}

static void test_write_inside(void **state)
{
    fix f;

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    OK(rag_store_files(f.s, 0, write_inside, &f, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "worday", &f.err), 6);
    fix_done(&f);
}

/* Many commits: their segments of words are merged on the way, and a version
 * that is pending all the time loses nothing. */
static void test_many_commits(void **state)
{
    fix f;
    int64_t version;
    rag_store_file info = fix_info(1);
    char key[16];

    (void)state;
    fix_init(&f);
    OK(rag_store_version_begin(&version, f.s, f.root, RAG_STR_LIT("slow"),
                               &f.err),
       &f.err);
    OK(fix_doc(f.s, version, "slow", 7, &f.err), &f.err);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "f%d", i % 30);
        OK(fix_put(f.s, f.root, key, "quick", 3, &f.err), &f.err);
        OK(rag_store_flush(f.s, &f.err), &f.err);
    }
    assert_in_range(count_rows(&f, "SELECT count(*) FROM lex_segment"), 1, 25);
    OK(rag_store_version_publish(f.s, version, &info, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "wordslow", &f.err), 7);
    assert_int_equal(fix_df(f.s, "wordquick", &f.err), 90);
    OK(rag_store_tidy(f.s, false, &f.err), &f.err);
    assert_int_equal(fix_df(f.s, "wordslow", &f.err), 7);
    assert_int_equal(fix_df(f.s, "wordquick", &f.err), 90);
    fix_sound(f.s, &f.err);
    fix_done(&f);
}

static void test_repair_counts(void **state)
{
    fix f;
    fix_said said;
    char path[120];
    sqlite3 *db;

    (void)state;
    fix_init(&f);
    OK(fix_put(f.s, f.root, "a.txt", "ay", 6, &f.err), &f.err);
    OK(rag_store_flush(f.s, &f.err), &f.err);
    rag_store_close(f.s);
    f.s = NULL;
    (void)snprintf(path, sizeof path, "%s/store.db", f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE state SET n_chunks=3;"
                                  "DELETE FROM bits",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    fix_reopen(&f, true);
    memset(&said, 0, sizeof said);
    OK(rag_store_check(f.s, false, fix_say, &said, &f.err), &f.err);
    assert_int_not_equal(said.n_fail, 0);
    OK(rag_store_check(f.s, true, fix_say, &said, &f.err), &f.err);
    fix_sound(f.s, &f.err);
    assert_int_equal(fix_df(f.s, "worday", &f.err), 6);
    assert_int_equal(fix_stats(f.s, &f.err).n_chunks, 6);
    fix_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_chunk),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_open_empty),
        cmocka_unit_test(test_words_rebuild),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_unflushed),
        cmocka_unit_test(test_write_inside),
        cmocka_unit_test(test_many_commits),
        cmocka_unit_test(test_repair_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

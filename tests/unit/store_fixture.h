#ifndef RAG_TESTS_STORE_FIXTURE_H
#define RAG_TESTS_STORE_FIXTURE_H

/* A store in a folder of its own, and files made of numbered chunks. */

#include "test.h"

#include "folder.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/words.h"
#include "store/store.h"

#define FIX_DIMS 16u

typedef struct fix {
    char base[64];  /* removed at the end */
    char dir[80];   /* the store */
    char state[80]; /* the user's own */
    rag_store *s;
    int64_t root;
    rag_error err;
} fix;

/* What the words index saw, made from the stored parts: the same as in
 * fix_put(). */
static inline void fix_render(rag_buf *heading, rag_buf *body,
                              const rag_store_chunk *c)
{
    rag_buf_adds(heading, c->title);
    rag_buf_adds(body, c->text);
}

static inline rag_status fix_open(rag_store **out, const fix *f, bool write,
                                  rag_error *err)
{
    rag_store_opts o = {.write = write,
                        .create = write,
                        .state_dir = f->state,
                        .render = fix_render};

    return rag_store_open(out, f->dir, &o, err);
}

static inline void fix_init(fix *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->base, sizeof f->base, "/tmp/rag_store_XXXXXX");
    assert_non_null(folder_new(f->base));
    (void)snprintf(f->dir, sizeof f->dir, "%s/st", f->base);
    (void)snprintf(f->state, sizeof f->state, "%s/state", f->base);
    OK(fix_open(&f->s, f, true, &f->err), &f->err);
    OK(rag_store_root_put(&f->root, f->s, RAG_STR_LIT("/docs"), true,
                          RAG_STR_LIT(""), &f->err),
       &f->err);
}

static inline void fix_reopen(fix *f, bool write)
{
    rag_store_close(f->s);
    f->s = NULL;
    OK(fix_open(&f->s, f, write, &f->err), &f->err);
}

static inline void fix_done(fix *f)
{
    rag_store_close(f->s);
    f->s = NULL;
    folder_drop(f->base);
}

/* One document of n_chunks lines "word<tag> shared line <i>\n"; every line is a
 * chunk. Two sections: the second half is below "Two" below "One". */
#define FIX_MAX_CHUNKS 4096

static inline rag_status fix_doc(rag_store *s, int64_t version, const char *tag,
                                 size_t n_chunks, rag_error *err)
{
    static rag_store_chunk_in chunks[FIX_MAX_CHUNKS];
    static char text[FIX_MAX_CHUNKS * 64];
    rag_store_section sections[2];
    uint64_t pages[2];
    rag_store_doc_in doc;
    size_t at = 0;

    memset(chunks, 0, sizeof chunks[0] * n_chunks);
    memset(&doc, 0, sizeof doc);
    for (size_t i = 0; i < n_chunks; i++) {
        int n = snprintf(text + at, 64, "word%s shared line %zu\n", tag, i);
        int n_id;

        chunks[i].start = at;
        at += (size_t)n;
        chunks[i].end = at;
        chunks[i].line = chunks[i].line_end = i + 1;
        chunks[i].page = chunks[i].page_end = i < n_chunks / 2 ? 1 : 2;
        chunks[i].section = i < n_chunks / 2 ? 0 : 1;
        chunks[i].n_tokens = 5;
        n_id = snprintf(chunks[i].stable_id, sizeof chunks[i].stable_id,
                        "%s-%zu", tag, i);
        assert_true(n_id > 0 && n_id < (int)sizeof chunks[i].stable_id);
        chunks[i].heading = RAG_STR_LIT("Title");
        chunks[i].body = rag_str_n(text + chunks[i].start, (size_t)n);
    }
    pages[0] = 0;
    pages[1] = n_chunks != 0 ? chunks[n_chunks / 2].start : 0;
    sections[0] = (rag_store_section){UINT32_MAX, 1, RAG_STR_LIT("One"), 0, at};
    sections[1] = (rag_store_section){0, 2, RAG_STR_LIT("Two"), pages[1], at};
    doc.title = RAG_STR_LIT("Title");
    doc.text = rag_str_n(text, at);
    doc.meta = RAG_STR_LIT("{\"a\":1}");
    doc.has_lines = true;
    doc.page_starts = pages;
    doc.n_pages = 2;
    doc.sections = sections;
    doc.n_sections = 2;
    doc.chunks = chunks;
    doc.n_chunks = n_chunks;
    return rag_store_doc_add(s, version, &doc, err);
}

static inline rag_store_file fix_info(int64_t size)
{
    rag_store_file f;

    memset(&f, 0, sizeof f);
    f.look.size_bytes = size;
    f.look.mtime_ns = 1000 + size;
    f.look.sha256[0] = (uint8_t)size;
    f.result = RAG_FILE_OK;
    f.fingerprint = RAG_STR_LIT("fp/1");
    f.type = RAG_STR_LIT("text");
    f.n_chars = 7;
    f.ingested_ns = 5;
    f.warnings = RAG_STR_LIT("careful");
    return f;
}

/* A whole file in one call; the tag is also its content. */
static inline rag_status fix_put(rag_store *s, int64_t root, const char *key,
                                 const char *tag, size_t n_chunks,
                                 rag_error *err)
{
    rag_store_file info = fix_info((int64_t)n_chunks);
    int64_t version;
    rag_status st;

    TRY(rag_store_version_begin(&version, s, root, rag_str_of(key), err));
    TRY(fix_doc(s, version, tag, n_chunks, err));
    TRY(rag_store_version_publish(s, version, &info, err));
out:
    return st;
}

static inline rag_status fix_first_word(void *ctx, const rag_word *w,
                                        rag_error *err)
{
    uint64_t *key = ctx;

    (void)err;
    if (*key == 0)
        *key = w->key;
    return RAG_OK;
}

static inline rag_store_term fix_term(const char *word)
{
    rag_store_term t = {0, RAG_TERM_SHOULD, 1.0f, 1};
    rag_words *w = rag_words_new();

    assert_non_null(w);
    assert_int_equal(
        rag_words_each(w, rag_str_of(word), fix_first_word, &t.word, NULL),
        RAG_OK);
    rag_words_free(w);
    return t;
}

/* How many live chunks hold a word. */
static inline uint64_t fix_df(rag_store *s, const char *word, rag_error *err)
{
    rag_store_term t = fix_term(word);
    uint64_t df = 0;
    uint64_t n_live;

    OK(rag_store_term_counts(&df, &n_live, s, &t, 1, err), err);
    return df;
}

static inline rag_store_stats fix_stats(rag_store *s, rag_error *err)
{
    rag_store_stats st;

    OK(rag_store_stats_get(&st, s, err), err);
    return st;
}

/* Unit vectors: chunk id and turn decide the direction. */
static inline void fix_vector(float v[FIX_DIMS], int64_t id, unsigned turn)
{
    double sum = 0.0;
    uint64_t x = (uint64_t)id * 2654435761u + turn * 97u + 1u;

    for (size_t i = 0; i < FIX_DIMS; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        v[i] = (float)((double)(x >> 40) / (double)(1 << 24) - 0.5);
        sum += (double)v[i] * (double)v[i];
    }
    for (size_t i = 0; i < FIX_DIMS; i++)
        v[i] = (float)((double)v[i] / __builtin_sqrt(sum));
}

static inline void fix_key(uint8_t key[RAG_STORE_KEY_BYTES], int64_t id,
                           unsigned turn)
{
    memset(key, 0, RAG_STORE_KEY_BYTES);
    memcpy(key, &id, sizeof id);
    memcpy(key + 8, &turn, sizeof turn);
}

/* Embeds what has no vector yet; returns how many. */
static inline size_t fix_embed(rag_store *s, int64_t space, unsigned turn,
                               rag_error *err)
{
    int64_t ids[64];
    int64_t after = 0;
    size_t total = 0;
    size_t n = 1;

    while (n != 0) {
        static float v[64 * FIX_DIMS];
        static uint8_t keys[64 * RAG_STORE_KEY_BYTES];

        OK(rag_store_unembedded(ids, &n, 64, s, space, after, err), err);
        for (size_t i = 0; i < n; i++) {
            fix_vector(v + i * FIX_DIMS, ids[i], turn);
            fix_key(keys + i * RAG_STORE_KEY_BYTES, ids[i], turn);
            after = ids[i];
        }
        if (n != 0)
            OK(rag_store_vectors_put(s, space, ids, keys, v, n, err), err);
        total += n;
    }
    return total;
}

typedef struct fix_said {
    unsigned n_fail;
    unsigned n_warn;
    unsigned n_ok;
    char last[600];
} fix_said;

static inline void fix_say(void *ctx, const char *state, const char *what,
                           const char *detail, const char *mend)
{
    fix_said *x = ctx;

    (void)mend;
    if (strcmp(state, "ok") == 0) {
        x->n_ok++;
        return;
    }
    if (strcmp(state, "warn") == 0)
        x->n_warn++;
    else
        x->n_fail++;
    (void)snprintf(x->last, sizeof x->last, "%s: %s", what, detail);
}

/* Everything of the store agrees with everything else. */
static inline void fix_sound(rag_store *s, rag_error *err)
{
    fix_said said;

    memset(&said, 0, sizeof said);
    OK(rag_store_check(s, false, fix_say, &said, err), err);
    if (said.n_fail != 0)
        fail_msg("check: %s", said.last);
}

#endif /* RAG_TESTS_STORE_FIXTURE_H */

#ifndef RAG_TESTS_NN_TINY_H
#define RAG_TESTS_NN_TINY_H

/* A random model of the right shape in the foreign format "E5S1", so that
 * importer, model file and encoder are tested where the real weights are not at
 * hand; and folders for files that go away again. */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include "folder.h"

#include "base/buf.h"
#include "base/file.h"
#include "nn/encoder.h"

#define TINY_HIDDEN 32u
#define TINY_LAYERS 2u
#define TINY_HEADS 2u
#define TINY_FFN 128u
#define TINY_WINDOW 16u
#define TINY_ROWS_MORE 3u /* rows of the word table without a piece */

static const char *const tiny_pieces[] = {"<s>",
                                          "<pad>",
                                          "</s>",
                                          "<unk>",
                                          "\xE2\x96\x81",
                                          "a",
                                          "b",
                                          "c",
                                          "ab",
                                          "bc",
                                          "\xE2\x96\x81"
                                          "a",
                                          "\xE2\x96\x81"
                                          "abc",
                                          "\xEA\xB0\x80",
                                          "\xE2\x96\x81\xEA\xB0\x80",
                                          "d",
                                          "e",
                                          "1",
                                          "2",
                                          "<",
                                          ">",
                                          "s",
                                          "\xC3\xA9",
                                          "<mask>"};
#define TINY_PIECES (sizeof tiny_pieces / sizeof tiny_pieces[0])

static char tiny_folder[64];

static inline const char *tiny_path(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *p = paths[next++ % 4];

    if (tiny_folder[0] == '\0') {
        memcpy(tiny_folder, "/tmp/rag-nn-XXXXXX", 19);
        assert_non_null(folder_new(tiny_folder));
    }
    (void)snprintf(p, 128, "%s/%s", tiny_folder, name);
    return p;
}

static inline int tiny_cleanup(void **state)
{
    static const char *const names[] = {"in", "out", "cut"};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        (void)unlink(tiny_path(names[i]));
    (void)rmdir(tiny_folder);
    return 0;
}

static inline void tiny_u32(rag_buf *b, uint32_t v)
{
    rag_buf_add(b, &v, sizeof v);
}

static inline uint32_t tiny_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A number in about -1..1. */
static inline float tiny_float(uint32_t *seed)
{
    return (float)tiny_random(seed) / 8388608.0f - 1.0f;
}

typedef struct tiny_tensor {
    char name[16];
    unsigned q4;
    uint32_t n;
} tiny_tensor;

/* The tensors of the model, in the order of the format. */
static inline size_t tiny_tensors(tiny_tensor *t)
{
    static const struct {
        const char *name;
        unsigned q4;
        uint32_t n;
    } layer[] = {{"q.w", 1, 32 * 32},        {"q.b", 0, 32},
                 {"k.w", 1, 32 * 32},        {"k.b", 0, 32},
                 {"v.w", 1, 32 * 32},        {"v.b", 0, 32},
                 {"ao.w", 1, 32 * 32},       {"ao.b", 0, 32},
                 {"aln.w", 0, 32},           {"aln.b", 0, 32},
                 {"fi.w", 1, TINY_FFN * 32}, {"fi.b", 0, TINY_FFN},
                 {"fo.w", 1, 32 * TINY_FFN}, {"fo.b", 0, 32},
                 {"oln.w", 0, 32},           {"oln.b", 0, 32}};
    size_t n = 0;

    t[n++] = (tiny_tensor){
        "emb.word", 1, (uint32_t)(TINY_PIECES + TINY_ROWS_MORE) * TINY_HIDDEN};
    t[n++] = (tiny_tensor){"emb.pos", 0, TINY_WINDOW * TINY_HIDDEN};
    t[n++] = (tiny_tensor){"emb.type", 0, 2 * TINY_HIDDEN};
    t[n++] = (tiny_tensor){"emb.ln.w", 0, TINY_HIDDEN};
    t[n++] = (tiny_tensor){"emb.ln.b", 0, TINY_HIDDEN};
    for (unsigned l = 0; l < TINY_LAYERS; l++) {
        for (size_t i = 0; i < sizeof layer / sizeof layer[0]; i++) {
            (void)snprintf(t[n].name, sizeof t[n].name, "l%u.%s", l,
                           layer[i].name);
            t[n].q4 = layer[i].q4;
            t[n++].n = layer[i].n;
        }
    }
    return n;
}

static inline size_t tiny_tensor_bytes(const tiny_tensor *t)
{
    return t->q4 ? t->n / 32 * 18 : (size_t)t->n * 4;
}

static inline void tiny_head(rag_buf *b)
{
    static const uint32_t head[] = {1,           TINY_HIDDEN,
                                    TINY_LAYERS, TINY_HEADS,
                                    TINY_FFN,    TINY_PIECES + TINY_ROWS_MORE,
                                    TINY_WINDOW, 2};
    static const uint32_t tokens[] = {32, TINY_PIECES, 0, 2, 1, 3};
    float eps = 1e-12f;

    rag_buf_addz(b, "E5S1");
    rag_buf_add(b, head, sizeof head);
    rag_buf_add(b, &eps, sizeof eps);
    rag_buf_add(b, tokens, sizeof tokens);
}

static inline void tiny_pieces_to(rag_buf *b)
{
    uint64_t blob = 0;
    uint32_t at = 0;

    for (size_t i = 0; i < TINY_PIECES; i++)
        blob += strlen(tiny_pieces[i]);
    rag_buf_add(b, &blob, sizeof blob);
    for (size_t i = 0; i < TINY_PIECES; i++) {
        tiny_u32(b, at);
        at += (uint32_t)strlen(tiny_pieces[i]);
    }
    tiny_u32(b, at);
    for (size_t i = 0; i < TINY_PIECES; i++) {
        float score = i < 4 || i == TINY_PIECES - 1
                          ? 0.0f
                          : -3.0f - 0.25f * (float)i +
                                2.0f * (float)(strlen(tiny_pieces[i]) > 1);

        rag_buf_add(b, &score, sizeof score);
    }
    for (size_t i = 0; i < TINY_PIECES; i++)
        rag_buf_addz(b, tiny_pieces[i]);
}

/* TAB becomes a space, U+0001 nothing, U+00BD "1/2" (with U+2044). */
static inline void tiny_map(rag_buf *b)
{
    static const struct {
        uint32_t cp;
        uint32_t n;
        uint32_t to[3];
    } map[] = {{1, 0, {0}},
               {9, 1, {32}},
               {0xBD, 3, {'1', 0x2044, '2'}},
               {0x2581, 1, {32}},
               {0xFFFD, 1, {32}}};

    tiny_u32(b, 5);
    tiny_u32(b, 5 * 5 + 4 * 6);
    for (size_t i = 0; i < 5; i++) {
        tiny_u32(b, map[i].cp);
        rag_buf_addc(b, (char)map[i].n);
        rag_buf_add(b, map[i].to, 4 * map[i].n);
    }
}

static inline void tiny_values(rag_buf *b, const tiny_tensor *t, uint32_t *seed)
{
    size_t len = strlen(t->name);
    /* norms near one, the rest small */
    float base = strcmp(t->name + len - 4, "ln.w") == 0 ? 1.0f : 0.0f;

    if (!t->q4) {
        for (uint32_t i = 0; i < t->n; i++) {
            float x = base + 0.2f * tiny_float(seed);

            rag_buf_add(b, &x, sizeof x);
        }
        return;
    }
    for (uint32_t i = 0; i < t->n / 32; i++) {
        uint16_t half = (uint16_t)(0x2800 + tiny_random(seed) % 0x400);

        rag_buf_add(b, &half, sizeof half); /* 0.03 to 0.06 */
        for (size_t k = 0; k < 16; k++)
            rag_buf_addc(b, (char)(tiny_random(seed) & 0xFF));
    }
}

/* Where the parts of the file begin, for tests that damage it. */
typedef struct tiny_places {
    size_t pieces;
    size_t offsets;
    size_t scores;
    size_t map;
    size_t directory;
    size_t data;
} tiny_places;

static inline void tiny_make(rag_buf *b, tiny_places *at)
{
    tiny_tensor t[5 + 16 * TINY_LAYERS];
    size_t n = tiny_tensors(t);
    size_t directory = 4;
    uint64_t offset;
    uint32_t seed = 7;

    rag_buf_init(b, 1 << 20);
    tiny_head(b);
    at->pieces = b->len;
    at->offsets = b->len + 8;
    at->scores = at->offsets + 4 * (TINY_PIECES + 1);
    tiny_pieces_to(b);
    at->map = b->len;
    tiny_map(b);
    at->directory = b->len;
    for (size_t i = 0; i < n; i++)
        directory += 2 + strlen(t[i].name) + 21;
    offset = (b->len + directory + 63) & ~(uint64_t)63;
    at->data = (size_t)offset;
    tiny_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = tiny_tensor_bytes(&t[i]);
        uint16_t len = (uint16_t)strlen(t[i].name);

        rag_buf_add(b, &len, sizeof len);
        rag_buf_addz(b, t[i].name);
        rag_buf_addc(b, (char)t[i].q4);
        tiny_u32(b, t[i].n);
        rag_buf_add(b, &offset, sizeof offset);
        rag_buf_add(b, &bytes, sizeof bytes);
        offset += (bytes + 63) & ~(uint64_t)63;
    }
    for (size_t i = 0; i < n; i++) {
        while (b->len % 64 != 0)
            rag_buf_addc(b, 0);
        tiny_values(b, &t[i], &seed);
    }
    assert_int_equal(b->failed, RAG_OK);
}

/* Without a sync: some tests write thousands of files. */
static inline void tiny_write(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    rag_error err;

    assert_true(fd >= 0);
    OK(rag_file_write_fd(fd, bytes, n, path, &err), &err);
    assert_int_equal(close(fd), 0);
}

/* Changes the byte of a model file at `place`, i says in which of three ways,
 * and writes it to "cut": the check of a model must see it. Returns what the
 * byte was. */
static inline char tiny_damage(rag_buf *b, size_t place, size_t i)
{
    char old = b->ptr[place];
    rag_error err;

    b->ptr[place] = (char)(i % 3 == 0   ? old ^ 0x80
                           : i % 3 == 1 ? ~old
                                        : old + 1);
    tiny_write(tiny_path("cut"), b->ptr, b->len);
    if (rag_encoder_verify(tiny_path("cut"), &err) != RAG_E_CORRUPT)
        fail_msg("byte %zu changed unnoticed", place);
    return old;
}

#endif /* RAG_TESTS_NN_TINY_H */

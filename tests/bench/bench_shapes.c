/*
 * bench_shapes — the built-in encoder on random models of any shape, or on real
 * ones: texts, or pairs of a cross-encoder, a second.
 *
 * usage: bench_shapes make HEAD POOLING LAYERS HIDDEN FFN HEADS FILE
 *        bench_shapes run FILE THREADS TOKENS RUNS
 *
 * HEAD: none, bert, xlmr (one label). POOLING: mean, cls. `run` takes 32 texts
 * of TOKENS tokens (pairs: a question of 13 of them) RUNS times and prints the
 * fewest seconds of wall clock and the fewest of CPU, and texts a second by
 * both. What the numbers of a model are is nothing to its speed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "nn/encoder.h"
#include "nn/pack.h"

#define N_TEXTS 32u
#define N_VOCAB 400u
#define WINDOW 512u
#define FIRST 5u /* piece that is a character: the first is U+4E00 + FIRST */
#define QUESTION_TOKENS 13u

static void die(const char *what)
{
    fprintf(stderr, "bench_shapes: %s\n", what);
    exit(2);
}

static float next_random(void)
{
    static uint32_t seed = 1;

    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

static void *room(rag_source *s, size_t n, size_t size)
{
    void *p = rag_arena_array(s->arena, n, size);

    if (p == NULL)
        die("no memory");
    return p;
}

static void add(rag_source *s, rag_source_part part, uint32_t layer,
                uint64_t rows, uint64_t cols)
{
    float *x = room(s, rows * cols, sizeof *x);

    for (size_t i = 0; i < rows * cols; i++)
        x[i] = rows == 1 ? 1.0f : 0.05f * next_random();
    s->tensors[s->n_tensors++] =
        (rag_source_tensor){.part = part,
                            .layer = layer,
                            .type = RAG_DTYPE_F32,
                            .n_rows = rows,
                            .n_cols = cols,
                            .bytes = (const unsigned char *)x};
}

/* Piece i, and character i of a text. */
static void han(char to[3], unsigned i)
{
    unsigned cp = 0x4E00 + i;

    to[0] = (char)(0xE0 | cp >> 12);
    to[1] = (char)(0x80 | (cp >> 6 & 63));
    to[2] = (char)(0x80 | (cp & 63));
}

static void add_tokens(rag_source *s)
{
    static const char *const first[FIRST] = {"<s>", "<pad>", "</s>", "<unk>",
                                             "\xE2\x96\x81"};
    rag_source_tokens *t = &s->tokens;
    char *chars = room(s, N_VOCAB, 3);

    t->kind = RAG_TOKENS_UNIGRAM;
    t->n_pieces = N_VOCAB;
    t->pieces = room(s, N_VOCAB, sizeof *t->pieces);
    t->scores = room(s, N_VOCAB, sizeof *t->scores);
    t->types = room(s, N_VOCAB, sizeof *t->types);
    t->nmt = room(s, 1, sizeof *t->nmt);
    for (unsigned i = 0; i < N_VOCAB; i++) {
        han(chars + 3 * i, i);
        t->pieces[i] =
            i < FIRST ? rag_str_of(first[i]) : rag_str_n(chars + 3 * i, 3);
        t->scores[i] = -1.0f;
        t->types[i] = i < 4 ? RAG_PIECE_SPECIAL : RAG_PIECE_NORMAL;
    }
    t->form = RAG_FORM_NMT;
    t->pad = 1;
    t->eos = 2;
    t->unk = 3;
    t->pair_double_eos = s->head == RAG_HEAD_XLMR;
}

static void add_layers(rag_source *s)
{
    uint64_t h = s->hidden;

    for (uint32_t l = 0; l < s->n_layers; l++) {
        for (rag_source_part p = RAG_PART_Q_W; p <= RAG_PART_V_B; p++)
            add(s, p, l, (p - RAG_PART_Q_W) % 2 == 0 ? h : 1, h);
        add(s, RAG_PART_MIX_W, l, h, h);
        add(s, RAG_PART_NORM1_W, l, 1, h);
        add(s, RAG_PART_NORM1_B, l, 1, h);
        add(s, RAG_PART_UP_W, l, s->ffn, h);
        add(s, RAG_PART_DOWN_W, l, h, s->ffn);
        add(s, RAG_PART_NORM2_W, l, 1, h);
        add(s, RAG_PART_NORM2_B, l, 1, h);
    }
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static void make(char **argv)
{
    rag_arena arena;
    rag_error err;
    rag_source s = {.arena = &arena,
                    .arch = RAG_ARCH_BERT,
                    .act = RAG_ACT_GELU,
                    .normalise = true,
                    .norm_eps = 1e-12f,
                    .window = WINDOW};

    rag_arena_init(&arena);
    s.head = strcmp(argv[0], "bert") == 0   ? RAG_HEAD_BERT
             : strcmp(argv[0], "xlmr") == 0 ? RAG_HEAD_XLMR
                                            : RAG_HEAD_NONE;
    s.n_labels = s.head != RAG_HEAD_NONE ? 1 : 0;
    s.pooling = strcmp(argv[1], "cls") == 0 ? RAG_POOL_CLS : RAG_POOL_MEAN;
    s.n_layers = number(argv[2]);
    s.hidden = number(argv[3]);
    s.ffn = number(argv[4]);
    s.n_heads = number(argv[5]);
    if (s.n_layers > RAG_WEIGHTS_MAX_LAYERS ||
        s.hidden > RAG_WEIGHTS_MAX_HIDDEN || s.ffn > RAG_WEIGHTS_MAX_FFN)
        die("a larger shape than the encoder takes");
    s.tensors = room(&s, 10 + 20 * (size_t)s.n_layers, sizeof *s.tensors);
    add(&s, RAG_PART_WORDS, 0, N_VOCAB, s.hidden);
    add(&s, RAG_PART_POSITIONS, 0, WINDOW, s.hidden);
    add(&s, RAG_PART_EMBED_NORM_W, 0, 1, s.hidden);
    add(&s, RAG_PART_EMBED_NORM_B, 0, 1, s.hidden);
    add_layers(&s);
    if (s.head != RAG_HEAD_NONE) {
        add(&s, RAG_PART_HEAD_DENSE_W, 0, s.hidden, s.hidden);
        add(&s, RAG_PART_HEAD_OUT_W, 0, 1, s.hidden);
    }
    add_tokens(&s);
    if (rag_pack(argv[6], &s, "random", &err) != RAG_OK)
        die(err.msg);
    rag_arena_dispose(&arena);
}

static rag_str text_of(unsigned n)
{
    char *bytes = rag_malloc((size_t)3 * n + 1);

    if (bytes == NULL)
        die("no memory");
    for (unsigned i = 0; i < n; i++)
        han(bytes + 3 * i, FIRST + (unsigned)((next_random() + 1.0f) * 0.49f *
                                              (float)(N_VOCAB - FIRST)));
    return rag_str_n(bytes, (size_t)3 * n);
}

static double clock_of(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void once(double *wall, double *cpu, rag_encoder *e,
                 const rag_str *questions, const rag_str *texts, float *out)
{
    double from = clock_of(CLOCK_MONOTONIC);
    double cpu_from = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    rag_error err;
    rag_status st =
        rag_encoder_about(e)->is_cross
            ? rag_encoder_labels(out, e, questions, texts, N_TEXTS, NULL, NULL,
                                 &err)
            : rag_encoder_run(out, e, texts, N_TEXTS, NULL, NULL, &err);

    if (st != RAG_OK)
        die(err.msg);
    from = clock_of(CLOCK_MONOTONIC) - from;
    cpu_from = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_from;
    *wall = from < *wall ? from : *wall;
    *cpu = cpu_from < *cpu ? cpu_from : *cpu;
}

static void run(char **argv)
{
    rag_str texts[N_TEXTS];
    rag_str questions[N_TEXTS];
    unsigned n_tokens = number(argv[2]);
    double wall = 1e9;
    double cpu = 1e9;
    rag_encoder *e;
    rag_error err;
    float *out;

    if (n_tokens < 2 * QUESTION_TOKENS || n_tokens > WINDOW)
        die("tokens: 26 to 512");
    if (rag_encoder_open(&e, argv[0], number(argv[1]), &err) != RAG_OK)
        die(err.msg);
    out = rag_calloc(N_TEXTS * rag_encoder_about(e)->dims, sizeof *out);
    if (out == NULL)
        die("no memory");
    if (rag_encoder_about(e)->is_cross)
        n_tokens -= QUESTION_TOKENS;
    for (size_t i = 0; i < N_TEXTS; i++) {
        questions[i] = text_of(QUESTION_TOKENS);
        texts[i] = text_of(n_tokens - 4); /* special tokens */
    }
    for (uint32_t i = number(argv[3]); i != 0; i--)
        once(&wall, &cpu, e, questions, texts, out);
    printf("%.4f s, CPU %.4f s: %.1f a second, %.1f by CPU\n", wall, cpu,
           N_TEXTS / wall, N_TEXTS / cpu);
    rag_encoder_close(e);
}

int main(int argc, char **argv)
{
    if (argc == 9 && strcmp(argv[1], "make") == 0)
        make(argv + 2);
    else if (argc == 6 && strcmp(argv[1], "run") == 0)
        run(argv + 2);
    else
        die("usage: bench_shapes make HEAD POOLING LAYERS HIDDEN FFN HEADS "
            "FILE | run FILE THREADS TOKENS RUNS");
    return 0;
}

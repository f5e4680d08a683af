/*
 * bench_inputs — the encoder alone over the very inputs of a store's chunks.
 *
 * usage: bench_inputs STORE MODEL [THREADS]
 *
 * STORE was made by `rag ingest --no-embed`. Its chunks become what an ingest
 * gives the model, each input once; they are sorted by length and given to the
 * encoder in one call: nothing is read, written or waited for meanwhile. What
 * it needs once (threads, scratch, pages of the vocabulary) is made before, by
 * a first run over some of them. Prints, on one line, for
 * ingest_vs_encoder.py: seconds, inputs, tokens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "flow/flow_priv.h"
#include "nn/encoder.h"

#define MAX_INPUTS ((size_t)100000)
#define MAX_INPUTS_BYTES ((size_t)1 << 30)
#define WARM_INPUTS 64u

static rag_error err;

static void must(rag_status st)
{
    if (st == RAG_OK)
        return;
    fprintf(stderr, "bench_inputs: %s\n", err.msg);
    exit(1);
}

static void *must_have(size_t n, size_t size)
{
    void *p = rag_calloc(n, size);

    if (p == NULL) {
        fprintf(stderr, "bench_inputs: no memory\n");
        exit(1);
    }
    return p;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* longest first, equal ones side by side */
static int by_length(const void *a, const void *b)
{
    const rag_str *x = a;
    const rag_str *y = b;

    if (x->len != y->len)
        return x->len < y->len ? 1 : -1;
    return memcmp(x->ptr, y->ptr, x->len);
}

/* The store's inputs, sorted, each once; they lie in *buf. */
static size_t load(rag_str *texts, rag_buf *buf, const char *dir,
                   const char *prefix)
{
    const rag_store_opts opts = {.render = rag_flow_render};
    int64_t *ids = must_have(MAX_INPUTS, sizeof *ids);
    size_t *ends = must_have(MAX_INPUTS, sizeof *ends);
    rag_store *store;
    size_t n;
    size_t kept = 0;

    must(rag_store_open(&store, dir, &opts, &err));
    must(rag_store_unembedded(ids, &n, MAX_INPUTS, store, 0, 0, &err));
    for (size_t i = 0; i < n; i++) {
        rag_store_chunk c;
        rag_arena a;

        rag_arena_init(&a);
        must(rag_store_chunk_get(&c, &a, store, ids[i], &err));
        rag_buf_addz(buf, prefix);
        must(rag_flow_input(buf, &c, &err));
        ends[i] = buf->len;
        rag_arena_dispose(&a);
    }
    for (size_t i = 0; i < n; i++)
        texts[i] =
            rag_str_cut(rag_buf_str(buf), i == 0 ? 0 : ends[i - 1], ends[i]);
    qsort(texts, n, sizeof *texts, by_length);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !rag_str_eq(texts[kept - 1], texts[i]))
            texts[kept++] = texts[i];
    rag_store_close(store);
    rag_free(ids);
    rag_free(ends);
    return kept;
}

int main(int argc, char **argv)
{
    rag_str *texts = must_have(MAX_INPUTS, sizeof *texts);
    rag_encoder *e;
    const rag_encoder_info *info;
    rag_buf buf;
    float *out;
    size_t n;
    size_t n_tokens = 0;
    double began;
    double s;

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: bench_inputs STORE MODEL [THREADS]\n");
        return 2;
    }
    must(rag_encoder_open(
        &e, argv[2], argc == 4 ? (size_t)strtoul(argv[3], NULL, 10) : 0, &err));
    info = rag_encoder_about(e);
    rag_buf_init(&buf, MAX_INPUTS_BYTES);
    n = load(texts, &buf, argv[1], info->passage_prefix);
    out = must_have(n + 1, info->dims * sizeof *out);
    must(rag_encoder_run(out, e, texts, n < WARM_INPUTS ? n : WARM_INPUTS, NULL,
                         NULL, &err));
    began = now();
    must(rag_encoder_run(out, e, texts, n, NULL, NULL, &err));
    s = now() - began;
    for (size_t i = 0; i < n; i++) {
        size_t k;

        must(rag_encoder_tokens(NULL, 0, &k, e, texts[i], &err));
        n_tokens += k;
    }
    printf("%.6f %zu %zu\n", s, n, n_tokens);
    rag_encoder_close(e);
    rag_buf_dispose(&buf);
    rag_free(out);
    rag_free(texts);
    return 0;
}

/*
 * bench_tokens — what tokenizing costs on one core.
 *
 *   bench_tokens MODEL|tokenizer.json FILE [TIMES]
 *
 * MODEL: an imported model file. FILE: text, tokenized in pieces of some 2,000
 * bytes as chunks of documents are. Time is that of the processor; under
 * callgrind, divide its instructions by the bytes told. Not run by ctest.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/utf8.h"
#include "nn/tokens_blob.h"
#include "nn/tokjson.h"
#include "nn/weights.h"

#define CHUNK_BYTES ((size_t)2000)

static rag_error err;

static void need(rag_status st)
{
    if (st == RAG_OK)
        return;
    fprintf(stderr, "bench_tokens: %s\n", err.msg);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Ends behind the last white space of the chunk, if it has any. */
static rag_str next_chunk(rag_str *rest)
{
    size_t n = rest->len < CHUNK_BYTES ? rest->len : CHUNK_BYTES;
    rag_str chunk;

    while (n < rest->len && n > 1 && rest->ptr[n - 1] != ' ' &&
           rest->ptr[n - 1] != '\n')
        n--;
    if (n <= 1)
        n = rag_utf8_floor(*rest, CHUNK_BYTES);
    chunk = rag_str_cut(*rest, 0, n);
    *rest = rag_str_cut(*rest, n, rest->len);
    return chunk;
}

static const rag_tokens_model *open_model(const char *path)
{
    static rag_weights weights;
    static rag_tokens_model model;
    static rag_source_tokens source;
    static rag_arena arena;
    static rag_buf blob;
    rag_buf text;

    if (!rag_str_ends(rag_str_of(path), ".json")) {
        need(rag_weights_open(&weights, path, &err));
        return &weights.tokens;
    }
    rag_buf_init(&text, RAG_TOKJSON_MAX_BYTES);
    rag_buf_init(&blob, (size_t)1 << 30);
    rag_arena_init(&arena);
    need(rag_file_read(&text, path, RAG_TOKJSON_MAX_BYTES, &err));
    need(rag_tokjson_read(&source, &arena, rag_buf_str(&text), &err));
    need(rag_tokens_build(&blob, &source, &err));
    need(rag_tokens_model_open(&model, rag_buf_str(&blob), &err));
    rag_buf_dispose(&text);
    return &model;
}

int main(int argc, char **argv)
{
    const rag_tokens_model *model;
    int times = argc > 3 ? atoi(argv[3]) : 1;
    size_t n_ids = 0;
    size_t n_bytes = 0;
    rag_tokens t;
    rag_buf text;
    double start;

    if (argc < 3) {
        fprintf(stderr, "usage: bench_tokens MODEL FILE [TIMES]\n");
        return 2;
    }
    model = open_model(argv[1]);
    rag_buf_init(&text, (size_t)1 << 30);
    need(rag_file_read(&text, argv[2], (size_t)1 << 30, &err));
    rag_tokens_init(&t, model);
    start = now();
    for (int i = 0; i < times; i++) {
        rag_str rest = rag_buf_str(&text);

        while (rest.len != 0) {
            rag_str chunk = next_chunk(&rest);

            need(rag_tokens_encode(&t, chunk, &err));
            n_ids += t.n_ids;
            n_bytes += chunk.len;
        }
    }
    start = now() - start;
    printf("%zu bytes, %zu tokens, %.3f s, %.1f MB/s\n", n_bytes, n_ids, start,
           (double)n_bytes / start / 1e6);
    rag_tokens_dispose(&t);
    rag_buf_dispose(&text);
    return 0;
}

/*
 * encode_lines — the vectors of the lines of stdin by a model file, in full
 * precision: the same program on two machines or tiers must print the same.
 *
 * usage: encode_lines MODEL THREADS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/encoder.h"

#define MOST_LINES 16
#define MOST_BYTES 2048

int main(int argc, char **argv)
{
    static char lines[MOST_LINES][MOST_BYTES];
    rag_str texts[MOST_LINES];
    rag_encoder *e;
    rag_error err;
    size_t n = 0;
    size_t dims;
    float *v;

    if (argc != 3)
        return 2;
    while (n < MOST_LINES && fgets(lines[n], MOST_BYTES, stdin) != NULL) {
        texts[n] = rag_str_n(lines[n], strcspn(lines[n], "\n"));
        n++;
    }
    if (rag_encoder_open(&e, argv[1], strtoul(argv[2], NULL, 10), &err) !=
        RAG_OK) {
        fprintf(stderr, "encode_lines: %s\n", err.msg);
        return 1;
    }
    dims = rag_encoder_about(e)->dims;
    v = calloc(n * dims + 1, sizeof *v);
    if (v == NULL ||
        rag_encoder_run(v, e, texts, n, NULL, NULL, &err) != RAG_OK)
        return 1;
    printf("%s\n", rag_encoder_tier());
    for (size_t i = 0; i < n * dims; i++)
        printf("%a\n", (double)v[i]);
    rag_encoder_close(e);
    free(v);
    return 0;
}

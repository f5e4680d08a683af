#ifndef RAG_TESTS_IMPORT_FIXTURE_H
#define RAG_TESTS_IMPORT_FIXTURE_H

/* What the importers' tests share: tensors against tests/data/import/expect.txt
 * (written by tests/nn/make_import.py with the formats' own packages). */

#include "test.h"

#include <math.h>

#include "base/file.h"
#include "nn/source.h"

#define IMPORT_DATA RAG_TEST_DATA "/import/"

typedef struct import_sums {
    double sum;
    double abs;
    double weighted;
} import_sums;

/* Of the stored values in their order; int8 by its scales and zero points. */
static inline import_sums import_sums_of(const rag_source_tensor *t)
{
    size_t n = (size_t)(t->n_rows * t->n_cols);
    float *x = malloc(n * sizeof *x);
    import_sums s = {0, 0, 0};

    assert_non_null(x);
    rag_dtype_values(x, t->type, t->bytes, n);
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];

        if (t->scales != NULL) {
            size_t out = t->transposed ? i % t->n_cols : i / t->n_cols;
            size_t k = t->n_scales == 1 ? 0 : out;

            v = (v - (double)t->zeros[k]) * (double)t->scales[k];
        }
        s.sum += v;
        s.abs += fabs(v);
        s.weighted += v * (double)(i % 7 + 1);
    }
    free(x);
    return s;
}

/* Every tensor of `file` in expect.txt is there, and no other; sums within
 * `off` of the sum of magnitudes. */
static inline void import_check_tensors(const rag_source *s, const char *file,
                                        double off)
{
    char name[64];
    unsigned part;
    unsigned layer;
    unsigned transposed;
    unsigned rows;
    unsigned cols;
    import_sums want;
    size_t n = 0;
    FILE *f = fopen(IMPORT_DATA "expect.txt", "r");

    assert_non_null(f);
    while (fscanf(f, "%63s %u %u %u %u %u %lf %lf %lf", name, &part, &layer,
                  &transposed, &rows, &cols, &want.sum, &want.abs,
                  &want.weighted) == 9) {
        const rag_source_tensor *t;
        import_sums got;

        if (strcmp(name, file) != 0)
            continue;
        n++;
        t = rag_source_find(s, (rag_source_part)part, layer);
        if (t == NULL)
            fail_msg("%s: no part %u of layer %u", file, part, layer);
        assert_int_equal(t->transposed, transposed);
        assert_int_equal(t->n_rows, rows);
        assert_int_equal(t->n_cols, cols);
        got = import_sums_of(t);
        if (!(fabs(got.sum - want.sum) <= off * want.abs &&
              fabs(got.abs - want.abs) <= off * want.abs &&
              fabs(got.weighted - want.weighted) <= 7 * off * want.abs))
            fail_msg("%s: part %u of layer %u: %g %g %g, want %g %g %g", file,
                     part, layer, got.sum, got.abs, got.weighted, want.sum,
                     want.abs, want.weighted);
    }
    (void)fclose(f);
    assert_true(n > 0);
    assert_int_equal(n, s->n_tensors);
}

/* An importer on bytes in memory. */
typedef rag_status (*import_read)(const unsigned char *bytes, size_t n,
                                  rag_error *err);

/* Cut off at every place of the first n_dense bytes and at every step-th one
 * behind: an error that says something. */
static inline void import_check_cut(const char *path, import_read read,
                                    size_t n_dense, size_t step)
{
    rag_error err;
    rag_map m;

    OK(rag_file_map(&m, path, &err), &err);
    for (size_t n = 0; n < m.len; n += n < n_dense ? 1 : step) {
        /* no byte behind the end that could be read unseen */
        unsigned char *exact = malloc(n != 0 ? n : 1);

        assert_non_null(exact);
        memcpy(exact, m.ptr, n);
        err.msg[0] = '\0';
        assert_int_equal(read(exact, n, &err), RAG_E_FORMAT);
        assert_true(err.msg[0] != '\0');
        free(exact);
    }
    rag_file_unmap(&m);
}

/* Every step-th of the first n bytes (0: all) changed by mask, one after the
 * other: an error or another model, no crash. */
static inline void import_check_flipped(const char *path, import_read read,
                                        size_t n, size_t step,
                                        unsigned char mask)
{
    rag_error err;
    rag_map m;
    unsigned char *copy;

    OK(rag_file_map(&m, path, &err), &err);
    assert_true(n <= m.len);
    copy = malloc(m.len);
    assert_non_null(copy);
    memcpy(copy, m.ptr, m.len);
    for (size_t i = 0; i < (n != 0 ? n : m.len); i += step) {
        copy[i] ^= mask;
        (void)read(copy, m.len, &err);
        copy[i] ^= mask;
    }
    OK(read(copy, m.len, &err), &err);
    free(copy);
    rag_file_unmap(&m);
}

#endif /* RAG_TESTS_IMPORT_FIXTURE_H */

/* The kernel for AMX, on a model of the tiles in plain C: its own code runs,
 * and every rule of the instructions that it could break fails here. What only
 * hardware can tell is told by rag_kern_amx_works() at first use. */
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "nn/attend.h"
#include "nn/kern_tiers.h"

#define MOST 131u

/* ---- the model --------------------------------------------------------- */

typedef struct tile {
    size_t rows;
    size_t row_bytes;
    int8_t at[16][64];
} tile;

static tile tiles[8];
static bool is_configured;
static size_t n_configs;
static size_t n_loads;
static size_t n_dots;
static size_t n_stores;

/* As the processor reads it: 64 bytes, shapes of tiles 0 to 7 counted. */
static void model_config(const void *config)
{
    const uint8_t *c = config;

    assert_int_equal(c[0], 1); /* palette */
    assert_int_equal(c[1], 0); /* start row */
    for (size_t i = 2; i < 64; i++) {
        bool is_shape = (i >= 16 && i < 32) || (i >= 48 && i < 56);

        assert_true(is_shape || c[i] == 0);
    }
    memset(tiles, 0, sizeof tiles);
    for (size_t t = 0; t < 8; t++) {
        tiles[t].row_bytes = (size_t)c[16 + 2 * t] | (size_t)c[17 + 2 * t] << 8;
        tiles[t].rows = c[48 + t];
        assert_in_range(tiles[t].row_bytes, 1, 64);
        assert_in_range(tiles[t].rows, 1, 16);
    }
    is_configured = true;
    n_configs++;
}

static void model_zero(size_t t)
{
    assert_true(is_configured);
    memset(tiles[t].at, 0, sizeof tiles[t].at);
}

static void model_load(size_t t, const void *from, size_t stride)
{
    n_loads++;
    assert_true(is_configured);
    memset(tiles[t].at, 0, sizeof tiles[t].at);
    for (size_t i = 0; i < tiles[t].rows; i++)
        memcpy(tiles[t].at[i], (const char *)from + i * stride,
               tiles[t].row_bytes);
}

static void model_store(size_t t, void *to, size_t stride)
{
    n_stores++;
    assert_true(is_configured);
    for (size_t i = 0; i < tiles[t].rows; i++)
        memcpy((char *)to + i * stride, tiles[t].at[i], tiles[t].row_bytes);
}

/* TDPBSSD: anything that would be an invalid opcode fails. */
static void model_dot(size_t c, size_t a, size_t b)
{
    n_dots++;
    assert_true(is_configured);
    assert_true(c != a && c != b && a != b);
    assert_int_equal(tiles[c].rows, tiles[a].rows);
    assert_int_equal(tiles[c].row_bytes, tiles[b].row_bytes);
    assert_int_equal(tiles[a].row_bytes, 4 * tiles[b].rows);
    assert_int_equal(tiles[a].row_bytes % 4, 0);
    for (size_t m = 0; m < tiles[c].rows; m++) {
        for (size_t n = 0; n < tiles[c].row_bytes / 4; n++) {
            int32_t sum;

            memcpy(&sum, tiles[c].at[m] + 4 * n, 4);
            for (size_t k = 0; k < tiles[b].rows; k++) {
                for (size_t i = 0; i < 4; i++)
                    sum +=
                        tiles[a].at[m][4 * k + i] * tiles[b].at[k][4 * n + i];
            }
            memcpy(tiles[c].at[m] + 4 * n, &sum, 4);
        }
    }
}

static void model_release(void)
{
    is_configured = false;
}

#define tile_config(c) model_config(c)
#define tile_zero(t) model_zero(t)
#define tile_ask(p) (void)(p)
#define tile_load(t, from, stride) model_load(t, from, stride)
#define tile_store(t, to, stride) model_store(t, to, stride)
#define tile_dot(c, a, b) model_dot(c, a, b)
#define tile_release() model_release()

#include "nn/kern_amx_body.h"

/* ---- tests ------------------------------------------------------------- */

static uint32_t seed = 1;

static int8_t rnd(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (int8_t)((int32_t)(seed >> 16) % 255 - 127);
}

typedef struct guarded {
    char *map;
    size_t map_bytes;
    void *at;
} guarded;

/* n_bytes that end at a page nobody may touch. */
static guarded guard(size_t n_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (n_bytes + page - 1) / page * page + page;
    guarded g;

    g.map_bytes = inner + page;
    g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(g.map, MAP_FAILED);
    assert_int_equal(mprotect(g.map + inner, page, PROT_NONE), 0);
    g.at = g.map + inner - n_bytes;
    return g;
}

static void one_gemm(size_t n_rows, size_t n_quads)
{
    size_t n_in = n_quads * 4;
    guarded a = guard(n_rows * n_in);
    guarded w = guard(n_quads * 128);
    guarded acc = guard(n_rows * 128);
    int32_t sum[MOST] = {0};
    int32_t *want = rag_calloc(n_rows * 32 + 1, 4);

    for (size_t i = 0; i < n_rows * n_in; i++)
        ((int8_t *)a.at)[i] = rnd();
    for (size_t i = 0; i < n_quads * 128; i++)
        ((int8_t *)w.at)[i] = rnd();
    n_configs = n_loads = n_dots = n_stores = 0;
    gemm(acc.at, a.at, n_in, sum, n_rows, w.at, n_quads);
    assert_in_range(n_configs, 0, 1); /* shapes are set once at most */
    rag_kern_scalar.gemm(want, a.at, n_in, sum, n_rows, w.at, n_quads);
    if (memcmp(acc.at, want, n_rows * 128) != 0)
        fail_msg("%zu rows of %zu quads differ", n_rows, n_quads);
    rag_free(want);
    assert_int_equal(munmap(a.map, a.map_bytes), 0);
    assert_int_equal(munmap(w.map, w.map_bytes), 0);
    assert_int_equal(munmap(acc.map, acc.map_bytes), 0);
}

static void test_gemm(void **state)
{
    (void)state;
    for (size_t rows = 0; rows <= MOST; rows++) {
        one_gemm(rows, rows % 37);
        one_gemm(rows, 40);
    }
    for (size_t quads = 0; quads <= 50; quads++) {
        one_gemm(13, quads);
        one_gemm(33, quads);
    }
    one_gemm(48, 96);
    one_gemm(64, 384);
    gemm_end();
    assert_false(is_configured);
}

/* No more instructions than there must be: a product of tiles for each load of
 * one, where rows are pairs of blocks; three loads for two behind them. */
static void test_counts(void **state)
{
    (void)state;
    one_gemm(64, 96);
    assert_int_equal(n_dots, 64 / 16 * 2 * (96 / 16));
    assert_int_equal(n_loads, n_dots);
    assert_int_equal(n_stores, 8);
    one_gemm(48, 96);
    assert_int_equal(n_dots, 36);
    assert_int_equal(n_loads, 42);
    one_gemm(13, 96);
    assert_int_equal(n_dots, 12);
    assert_int_equal(n_loads, 18);
    one_gemm(64, 24); /* a rest of inputs: a tile more */
    assert_int_equal(n_dots, 16);
    gemm_end();
}

/* A run of products of one shape sets it once, and gives the tiles back. */
static void test_run(void **state)
{
    (void)state;
    one_gemm(64, 96);
    for (size_t i = 0; i < 5; i++) {
        one_gemm(64, 96);
        assert_int_equal(n_configs, 0);
        one_gemm(32, 24);
        assert_int_equal(n_configs, 0);
    }
    one_gemm(20, 24);
    assert_int_equal(n_configs, 1);
    one_gemm(64, 8);
    assert_int_equal(n_configs, 1);
    assert_true(is_configured);
    gemm_end();
    assert_false(is_configured);
    gemm_end(); /* nothing to give back */
    one_gemm(64, 8);
    assert_int_equal(n_configs, 1);
    gemm_end();
}

/* Attention, whose products have few inputs: by way of the model and without,
 * the same bits. */
static void test_attend(void **state)
{
    rag_kern kern = rag_kern_scalar;
    enum { DIMS = 32 };
    int8_t q[MOST * 3 * DIMS];
    float scale[MOST * 3];
    int32_t sum[MOST];
    float out[2][MOST * DIMS];
    size_t n_bytes = rag_attend_bytes(MOST, DIMS);
    char *scratch = rag_malloc(n_bytes + 64);
    rag_attend_head t = {.out_stride = DIMS,
                         .q = q,
                         .k = q + DIMS,
                         .v = q + 2 * DIMS,
                         .stride = 3 * DIMS,
                         .q_scale = scale,
                         .k_scale = scale + 1,
                         .v_log = scale + 2,
                         .scale_stride = 3,
                         .q_sum = sum,
                         .sum_stride = 1,
                         .dims = DIMS};

    (void)state;
    kern.gemm = gemm;
    kern.end = gemm_end;
    kern.rows = rag_kern_amx.rows;
    for (size_t i = 0; i < sizeof q; i++)
        q[i] = rnd();
    for (size_t i = 0; i < MOST; i++) {
        scale[3 * i] = scale[3 * i + 1] = 0.004f;
        scale[3 * i + 2] = (float)(i % 5) - 7.0f;
        sum[i] = 0;
        for (size_t d = 0; d < DIMS; d++)
            sum[i] += q[i * 3 * DIMS + d];
    }
    t.scratch = scratch + (64 - (uintptr_t)scratch % 64) % 64;
    for (t.n = 0; t.n <= MOST; t.n += t.n < 70 ? 1 : 20) {
        memset(out, 0, sizeof out);
        t.n_queries = t.n;
        t.out = out[0];
        rag_attend(&t, &kern);
        assert_false(is_configured);
        t.out = out[1];
        rag_attend(&t, &rag_kern_scalar);
        assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
    rag_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_attend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/vindex_priv.h"

static uint64_t rng = 88172645463325252u;

static uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32);
}

/* near enough to a normal deviate */
static float normal(void)
{
    double s = -6.0;

    for (int i = 0; i < 12; i++)
        s += (double)rnd() / 4294967296.0;
    return (float)s;
}

static uint32_t bits_of(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static double half_value(uint16_t h)
{
    int e = (h >> 10) & 31;
    double m = h & 1023;
    double v = e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);

    return (h & 0x8000) != 0 ? -v : v;
}

static uint16_t to_half(float f)
{
    uint16_t h;

    rag_vindex_to_half(&h, &f, 1);
    return h;
}

static void test_half_values(void **state)
{
    static uint16_t in[65536 + 3];
    static float fast[65536 + 3];
    static float slow[65536 + 3];

    (void)state;
    for (unsigned h = 0; h < 65536 + 3; h++)
        in[h] = (uint16_t)h;
    rag_vindex_to_float(fast, in, 65536 + 3); /* and a tail */
    rag_vindex_to_float_scalar(slow, in, 65536 + 3);
    assert_memory_equal(fast, slow, sizeof fast);
    for (unsigned h = 0; h < 65536; h++) {
        bool special = (h & 0x7c00) == 0x7c00;

        if (special && (h & 1023) != 0) {
            assert_true(isnan(slow[h]));
            assert_true((to_half(slow[h]) & 0x7fff) > 0x7c00);
            continue;
        }
        if (special)
            assert_true(isinf(slow[h]) && (slow[h] < 0) == (h > 0x8000));
        else
            assert_true((double)slow[h] == half_value((uint16_t)h));
        assert_int_equal(signbit(slow[h]) != 0, h >> 15);
        assert_int_equal(to_half(slow[h]), h);
    }
}

/* Between two neighbours: the nearer one, and the even one from the middle. */
static void test_half_rounding(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7bff; h++) {
        float mid =
            (float)((half_value((uint16_t)h) + half_value((uint16_t)(h + 1))) /
                    2);
        unsigned even = h % 2 == 0 ? h : h + 1;

        assert_int_equal(to_half(mid), even);
        assert_int_equal(to_half(nextafterf(mid, 0)), h);
        assert_int_equal(to_half(nextafterf(mid, 1e9f)), h + 1);
        assert_int_equal(to_half(-mid), even | 0x8000);
        assert_int_equal(to_half(nextafterf(-mid, 0)), h | 0x8000);
        assert_int_equal(to_half(nextafterf(-mid, -1e9f)), (h + 1) | 0x8000);
    }
    assert_int_equal(to_half(nextafterf(65520.0f, 0)), 0x7bff);
    assert_int_equal(to_half(65520.0f), 0x7c00);
    assert_int_equal(to_half(-1e30f), 0xfc00);
    assert_int_equal(to_half(INFINITY), 0x7c00);
    assert_int_equal(to_half(FLT_MIN / 4), 0);
    assert_int_equal(to_half(-FLT_MIN), 0x8000);
}

/* Every length, the rows ending at an unreadable page. */
static void test_dots(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (size_t dims = 1; dims <= 131; dims++) {
        size_t n = 3;
        uint16_t *rows =
            (uint16_t *)(void *)(map + page - n * dims * sizeof *rows);
        float *query = malloc(dims * sizeof *query); /* ASan guards it */
        float fast[3];
        float slow[3];

        assert_non_null(query);
        for (size_t i = 0; i < dims; i++)
            query[i] = normal();
        for (size_t i = 0; i < n * dims; i++)
            rows[i] = to_half(normal());
        rag_vindex_dots(fast, rows, n, dims, query);
        rag_vindex_dots_scalar(slow, rows, n, dims, query);
        for (size_t r = 0; r < n; r++) {
            double want = 0;
            double sum = 0;

            for (size_t i = 0; i < dims; i++) {
                double p = half_value(rows[r * dims + i]) * (double)query[i];

                want += p;
                sum += fabs(p);
            }
            assert_int_equal(bits_of(fast[r]), bits_of(slow[r]));
            assert_true(fabs((double)fast[r] - want) <= 1e-5 * sum);
        }
        free(query);
    }
    assert_int_equal(munmap(map, 2 * page), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_values),
        cmocka_unit_test(test_half_rounding),
        cmocka_unit_test(test_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

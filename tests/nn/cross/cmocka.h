#ifndef RAG_TESTS_CROSS_CMOCKA_H
#define RAG_TESTS_CROSS_CMOCKA_H

/* As much of cmocka as t_kern uses, for a machine that there is a compiler for
 * but no library: a failed assertion ends the program. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                    \
    {                                                                          \
#f, f                                                                  \
    }
#define print_message(...) (void)printf(__VA_ARGS__)
#define fail_msg(...)                                                          \
    do {                                                                       \
        (void)printf("%s:%d: ", __FILE__, __LINE__);                           \
        (void)printf(__VA_ARGS__);                                             \
        (void)printf("\n");                                                    \
        exit(1);                                                               \
    } while (0)
#define assert_true(x)                                                         \
    do {                                                                       \
        if (!(x))                                                              \
            fail_msg("not so: %s", #x);                                        \
    } while (0)
#define assert_int_equal(a, b) assert_true((long)(a) == (long)(b))
#define assert_ptr_not_equal(a, b) assert_true((a) != (b))
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define assert_in_range(x, low, high)                                          \
    assert_true((long)(x) >= (long)(low) && (long)(x) <= (long)(high))
#define assert_float_equal(a, b, off)                                          \
    assert_true((a) - (b) <= (off) && (b) - (a) <= (off))

static inline int run_tests(const struct CMUnitTest *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)printf("%s\n", tests[i].name);
        tests[i].run(NULL);
    }
    (void)printf("all passed\n");
    return 0;
}
#define cmocka_run_group_tests(tests, before, after)                           \
    run_tests(tests, sizeof(tests) / sizeof *(tests))

#endif /* RAG_TESTS_CROSS_CMOCKA_H */

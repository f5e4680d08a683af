#include "test.h"

#include "folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/vindex.h"

static char folder[] = "/tmp/t_vindex_key.XXXXXX";
static rag_error err;

static size_t n_warnings;

static void count_warning(void *ctx, rag_log_level level, const char *msg)
{
    (void)ctx;
    (void)msg;
    n_warnings += level == RAG_LOG_WARN;
}

static void test_key(void **state)
{
    uint8_t a[RAG_SHA256_BYTES];
    uint8_t b[RAG_SHA256_BYTES];
    char dir[128];
    char path[160];
    char moved[160];
    struct stat sb;
    bool found = true;

    (void)state;
    (void)snprintf(dir, sizeof dir, "%s/state/rag", folder);
    (void)snprintf(path, sizeof path, "%s/index.key", dir);
    rag_log_to(count_warning, NULL, RAG_LOG_WARN);
    OK(rag_vindex_key(a, &found, dir, false, &err), &err);
    assert_false(found);
    assert_int_equal(n_warnings, 0);
    OK(rag_vindex_key(a, &found, dir, true, &err), &err);
    assert_true(found);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 0600);
    assert_int_equal(sb.st_size, 32);
    assert_int_equal(sb.st_nlink, 1);
    OK(rag_vindex_key(b, &found, dir, true, &err), &err);
    assert_true(found);
    assert_memory_equal(a, b, sizeof a);

    /* readable by others: not used, and replaced where that is asked for */
    assert_int_equal(chmod(path, 0640), 0);
    OK(rag_vindex_key(b, &found, dir, false, &err), &err);
    assert_false(found);
    assert_int_equal(n_warnings, 1);
    OK(rag_vindex_key(b, &found, dir, true, &err), &err);
    assert_true(found);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 0600);

    /* too short, too long */
    for (int len = 31; len <= 33; len += 2) {
        OK(rag_file_replace(path, "0123456789012345678901234567890123",
                            (size_t)len, &err),
           &err);
        OK(rag_vindex_key(b, &found, dir, false, &err), &err);
        assert_false(found);
    }
    /* a link to a good one */
    OK(rag_vindex_key(b, &found, dir, true, &err), &err);
    (void)snprintf(moved, sizeof moved, "%s/moved", dir);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    OK(rag_vindex_key(b, &found, dir, false, &err), &err);
    assert_false(found);
    /* a FIFO does not hold us up */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    OK(rag_vindex_key(b, &found, dir, false, &err), &err);
    assert_false(found);
    assert_int_equal(unlink(path), 0);
    rag_log_to(NULL, NULL, RAG_LOG_WARN);
    CHECK_OOM(rag_vindex_key(b, &found, dir, true, &err));
    assert_true(found);
}

static void test_key_of_another(void **state)
{
    uint8_t a[RAG_SHA256_BYTES];
    char dir[128];
    char path[160];
    bool found = true;

    (void)state;
    if (geteuid() != 0) /* only root can make such a file */
        skip();
    (void)snprintf(dir, sizeof dir, "%s/state/rag", folder);
    (void)snprintf(path, sizeof path, "%s/index.key", dir);
    assert_int_equal(chown(path, 65534, 65534), 0);
    OK(rag_vindex_key(a, &found, dir, false, &err), &err);
    assert_false(found);
}

static int remove_all(void **state)
{
    char cmd[160];

    (void)state;
    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", folder);
    return system(cmd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_key_of_another),
    };

    if (folder_new(folder) == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, remove_all);
}

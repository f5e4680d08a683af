/* Walking a folder: what is given, what is left out, and above all what the
 * walk says of files that it did not give. */

#include "test.h"

#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/walk.h"

typedef struct fix {
    char dir[64];
    rag_walk *w;
    rag_walk_opts o;
    rag_buf files;    /* keys, each with ';' behind it */
    rag_buf troubles; /* the same */
    rag_error err;
} fix;

static void init(fix *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/rag_walk_XXXXXX");
    assert_non_null(folder_new(f->dir));
    rag_buf_init(&f->files, 1 << 20);
    rag_buf_init(&f->troubles, 1 << 20);
}

static void done(fix *f)
{
    rag_walk_free(f->w);
    rag_buf_dispose(&f->files);
    rag_buf_dispose(&f->troubles);
    folder_drop(f->dir);
}

static const char *at(const fix *f, const char *name)
{
    static char path[8][1024];
    static int turn;
    char *p = path[turn++ % 8];

    (void)snprintf(p, 1024, "%s/%s", f->dir, name);
    return p;
}

/* A file with its folders. */
static void put(const fix *f, const char *name, const char *text)
{
    char path[1024];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s", at(f, name));
    for (char *p = path + strlen(f->dir) + 1; *p != '\0'; p++)
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(path, 0777);
            *p = '/';
        }
    out = fopen(path, "w");
    assert_non_null(out);
    (void)fputs(text, out);
    (void)fclose(out);
}

static rag_status on_file(void *ctx, rag_str key, const struct stat *sb,
                          rag_error *err)
{
    fix *f = ctx;

    assert_true(S_ISREG(sb->st_mode));
    rag_buf_adds(&f->files, key);
    rag_buf_addc(&f->files, ';');
    return rag_buf_status(&f->files, err);
}

static rag_status on_trouble(void *ctx, rag_str key, const char *why,
                             rag_error *err)
{
    fix *f = ctx;

    assert_true(why[0] != '\0');
    rag_buf_adds(&f->troubles, key);
    rag_buf_addc(&f->troubles, ';');
    return rag_buf_status(&f->troubles, err);
}

static rag_status walk(fix *f, const char *sub)
{
    int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rag_status st;

    assert_true(fd >= 0);
    rag_walk_free(f->w);
    f->w = rag_walk_new();
    if (f->w == NULL) {
        (void)close(fd);
        return rag_fail_nomem(&f->err);
    }
    rag_buf_clear(&f->files);
    rag_buf_clear(&f->troubles);
    st = rag_walk_run(f->w, fd, rag_str_of(sub), &f->o, on_file, on_trouble, f,
                      &f->err);
    (void)close(fd);
    return st;
}

static rag_walk_verdict ask(fix *f, const char *key)
{
    return rag_walk_ask(f->w, rag_str_of(key));
}

static void test_order(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, "b.md", "b");
    put(&f, "a/z.md", "z");
    put(&f, "a/b/c.md", "c");
    put(&f, "a.md", "a");
    (void)mkdir(at(&f, "empty"), 0777);
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a/b/c.md;a/z.md;a.md;b.md;");
    assert_string_equal(f.troubles.ptr, "");
    assert_int_equal(ask(&f, "a.md"), RAG_WALK_THERE);
    assert_int_equal(ask(&f, "a/b/c.md"), RAG_WALK_THERE);
    assert_int_equal(ask(&f, "c.md"), RAG_WALK_GONE);
    assert_int_equal(ask(&f, "a/c.md"), RAG_WALK_GONE);
    assert_int_equal(ask(&f, "gone/folder/c.md"), RAG_WALK_GONE);
    assert_int_equal(ask(&f, "empty/c.md"), RAG_WALK_GONE);
    assert_int_equal(ask(&f, "empty"), RAG_WALK_GONE);     /* was a file */
    assert_int_equal(ask(&f, "a.md/x.md"), RAG_WALK_GONE); /* was a folder */
    done(&f);
}

static void test_sub(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, ".ragignore", "*.log\n/a/b/no.md\n");
    put(&f, "a/.ragignore", "x.md\n");
    put(&f, "a/b/c.md", "c");
    put(&f, "a/b/d.log", "c");
    put(&f, "a/b/no.md", "c");
    put(&f, "a/b/x.md", "c");
    put(&f, "a/z.md", "z");
    OK(walk(&f, "a/b"), &f.err);
    assert_string_equal(f.files.ptr, "a/b/c.md;");
    assert_int_equal(ask(&f, "a/b/c.md"), RAG_WALK_THERE);
    assert_int_equal(ask(&f, "a/b/gone.md"), RAG_WALK_GONE);
    assert_int_equal(ask(&f, "a/b/d.log"), RAG_WALK_LEFT);
    /* not looked at */
    assert_int_equal(ask(&f, "a/z.md"), RAG_WALK_UNKNOWN);
    assert_int_equal(ask(&f, "a/bc.md"), RAG_WALK_UNKNOWN);
    assert_int_equal(ask(&f, "other.md"), RAG_WALK_UNKNOWN);
    OK(walk(&f, "a/nothing"), &f.err);
    assert_string_equal(f.troubles.ptr, "a/nothing;");
    assert_int_equal(ask(&f, "a/nothing/x.md"), RAG_WALK_UNKNOWN);
    done(&f);
}

static void test_filters(void **state)
{
    const char *include[] = {"*.md", "keep/**"};
    const char *exclude[] = {"drafts", "*.tmp.md"};
    fix f;

    (void)state;
    init(&f);
    put(&f, "a.md", "");
    put(&f, "a.txt", "");
    put(&f, "a.tmp.md", "");
    put(&f, "drafts/b.md", "");
    put(&f, "keep/c.txt", "");
    f.o.include = include;
    f.o.n_include = 2;
    f.o.exclude = exclude;
    f.o.n_exclude = 2;
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a.md;keep/c.txt;");
    assert_int_equal(ask(&f, "a.txt"), RAG_WALK_LEFT);
    assert_int_equal(ask(&f, "drafts/b.md"), RAG_WALK_LEFT);
    /* in a folder that was left out nobody looked, so nothing is gone */
    assert_int_equal(ask(&f, "drafts/never.md"), RAG_WALK_LEFT);
    done(&f);
}

static void test_hidden(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, ".env", "");
    put(&f, ".git/config", "");
    put(&f, ".rag/store.db", "");
    put(&f, "sub/.rag/store.db", "");
    put(&f, "a.md", "");
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a.md;");
    assert_int_equal(ask(&f, ".env"), RAG_WALK_LEFT);
    f.o.hidden = true;
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, ".env;.git/config;a.md;");
    done(&f);
}

/* the store, wherever it lies */
static void test_store_folder(void **state)
{
    struct stat sb;
    fix f;

    (void)state;
    init(&f);
    put(&f, "st/store.db", "");
    put(&f, "a.md", "");
    assert_int_equal(stat(at(&f, "st"), &sb), 0);
    f.o.not_dev = sb.st_dev;
    f.o.not_ino = sb.st_ino;
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a.md;");
    done(&f);
}

static void test_ignore_files(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, ".ragignore", "*.log\nbuild/\n!keep.log\n");
    put(&f, ".gitignore", "a.md\n");
    put(&f, "a.md", "");
    put(&f, "x.log", "");
    put(&f, "keep.log", "");
    put(&f, "build/b.md", "");
    put(&f, "sub/.ragignore", "!x.log\n/only.md\n");
    put(&f, "sub/x.log", "");
    put(&f, "sub/only.md", "");
    put(&f, "sub/deep/only.md", "");
    put(&f, "other/x.log", "");
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr,
                        "a.md;keep.log;sub/deep/only.md;sub/x.log;");
    f.o.gitignore = true;
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "keep.log;sub/deep/only.md;sub/x.log;");
    done(&f);
}

static bool no_b(void *ctx, rag_str key)
{
    (void)ctx;
    return rag_str_eqz(key, "b.md");
}

static void test_left_out(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, "a.md", "");
    put(&f, "b.md", "");
    put(&f, "x/b.md", "");
    f.o.left_out = no_b;
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a.md;x/b.md;");
    assert_int_equal(ask(&f, "b.md"), RAG_WALK_LEFT);
    done(&f);
}

static void test_links(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, "in/a.md", "a");
    put(&f, "out/b.md", "b");
    assert_int_equal(symlink("../out", at(&f, "in/linked")), 0);
    assert_int_equal(symlink("../out/b.md", at(&f, "in/file.md")), 0);
    assert_int_equal(symlink(".", at(&f, "in/self")), 0);
    assert_int_equal(symlink("..", at(&f, "in/up")), 0);
    assert_int_equal(symlink("nowhere", at(&f, "in/dangling")), 0);
    assert_int_equal(symlink("ring", at(&f, "in/ring")), 0);
    OK(walk(&f, "in"), &f.err);
    assert_string_equal(f.files.ptr, "in/a.md;");
    assert_string_equal(f.troubles.ptr, "");
    assert_int_equal(ask(&f, "in/file.md"), RAG_WALK_LEFT);
    assert_int_equal(ask(&f, "in/linked/b.md"), RAG_WALK_LEFT);
    f.o.follow = true;
    OK(walk(&f, ""), &f.err);
    /* a loop ends where it would come back to a folder above */
    assert_string_equal(f.files.ptr,
                        "in/a.md;in/file.md;in/linked/b.md;out/b.md;");
    assert_int_equal(ask(&f, "in/self/a.md"), RAG_WALK_LEFT);
    /* a ring cannot be looked at; what lay there is not gone */
    assert_string_equal(f.troubles.ptr, "in/ring;");
    assert_int_equal(ask(&f, "in/ring"), RAG_WALK_UNKNOWN);
    done(&f);
}

static void test_special(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;
    int dir;
    fix f;

    (void)state;
    init(&f);
    put(&f, "a.md", "a");
    assert_int_equal(mkfifo(at(&f, "fifo.md"), 0666), 0);
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", at(&f, "sock.md"));
    assert_int_equal(bind(s, (struct sockaddr *)&sa, sizeof sa), 0);
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a.md;");
    /* a FIFO that took a file's place does not block */
    dir = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = rag_walk_open(dir, "fifo.md", false);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(dir);
    (void)close(s);
    done(&f);
}

static void test_open(void **state)
{
    int dir;
    int fd;
    fix f;

    (void)state;
    init(&f);
    put(&f, "in/a.md", "a");
    put(&f, "b.md", "b");
    assert_int_equal(symlink("../b.md", at(&f, "in/l.md")), 0);
    assert_int_equal(symlink("..", at(&f, "in/up")), 0);
    dir = open(at(&f, "in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = rag_walk_open(dir, "a.md", false);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(rag_walk_open(dir, "l.md", false), -1);
    assert_int_equal(rag_walk_open(dir, "up/b.md", false), -1);
    assert_int_equal(rag_walk_open(dir, "../b.md", false), -1);
    fd = rag_walk_open(dir, "up/b.md", true);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(dir);
    done(&f);
}

/* names are bytes */
static void test_names(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, "\xEA\xB0\x80.md", "");             /* NFC */
    put(&f, "\xE1\x84\x80\xE1\x85\xA1.md", ""); /* NFD */
    put(&f, "a b.md", "");
    put(&f, "a\nb.md", "");
    put(&f, "\xFF\xFE.md", "");
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr,
                        "a\nb.md;a b.md;\xE1\x84\x80\xE1\x85\xA1.md;"
                        "\xEA\xB0\x80.md;\xFF\xFE.md;");
    assert_int_equal(ask(&f, "\xFF\xFE.md"), RAG_WALK_THERE);
    done(&f);
}

/* As somebody who may not list: a child without root's rights. */
static void unreadable(fix *f)
{
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(77);
    if (walk(f, "") != RAG_OK)
        _exit(1);
    if (strcmp(f->files.ptr, "open/a.md;") != 0)
        _exit(2);
    if (strcmp(f->troubles.ptr, "closed;half;") != 0)
        _exit(3);
    if (ask(f, "closed/x.md") != RAG_WALK_UNKNOWN)
        _exit(4);
    if (ask(f, "half/b.md") != RAG_WALK_UNKNOWN)
        _exit(5);
    if (ask(f, "half/gone.md") != RAG_WALK_UNKNOWN)
        _exit(6);
    _exit(0);
}

static void test_unreadable(void **state)
{
    int status = 0;
    pid_t pid;
    fix f;

    (void)state;
    init(&f);
    (void)chmod(f.dir, 0755);
    put(&f, "open/a.md", "a");
    put(&f, "closed/x.md", "x");
    put(&f, "half/b.md", "b"); /* names without a look at the files */
    (void)chmod(at(&f, "closed"), 0);
    (void)chmod(at(&f, "half"), 0744);
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        unreadable(&f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)chmod(at(&f, "closed"), 0755);
    (void)chmod(at(&f, "half"), 0755);
    done(&f);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_deep(void **state)
{
    char name[2 * 200 + 8] = "";
    fix f;

    (void)state;
    init(&f);
    for (int i = 0; i < 200; i++)
        (void)strcat(name, "d/");
    (void)strcat(name, "x.md");
    put(&f, name, "");
    put(&f, "a.md", "");
    OK(walk(&f, ""), &f.err);
    assert_string_equal(f.files.ptr, "a.md;");
    assert_true(f.troubles.len != 0); /* said, and nothing below is gone */
    assert_int_equal(ask(&f, name), RAG_WALK_UNKNOWN);
    done(&f);
}

static bool at_once(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_cancel(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, "a.md", "");
    f.o.cancelled = at_once;
    assert_int_equal(walk(&f, ""), RAG_E_CANCELLED);
    done(&f);
}

static rag_status walk_and_forget(fix *f)
{
    rag_status st = walk(f, "");

    rag_walk_free(f->w);
    f->w = NULL;
    rag_buf_dispose(&f->files);
    rag_buf_dispose(&f->troubles);
    return st;
}

static void test_oom(void **state)
{
    fix f;

    (void)state;
    init(&f);
    put(&f, ".ragignore", "*.log\n");
    put(&f, "a.md", "");
    put(&f, "d/b.md", "");
    put(&f, "d/b.log", "");
    CHECK_OOM(walk_and_forget(&f));
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_sub),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_store_folder),
        cmocka_unit_test(test_ignore_files),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

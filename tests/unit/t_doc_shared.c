/* Every reader but PDF against the shared files, skipped where they are not. */
#include "readdoc.h"

#include <dirent.h>

#define FILES RAG_TEST_SHARED "/data/files"

static bool must_be_refused(const char *name, rag_status st)
{
    static const struct {
        const char *name;
        rag_status st;
    } known[] = {{"empty.md", RAG_E_EMPTY},
                 {"empty.txt", RAG_E_EMPTY},
                 {"only-spaces.txt", RAG_E_EMPTY},
                 {"fake-text-all-whitespace.txt", RAG_E_EMPTY}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0) {
            assert_int_equal(st, known[i].st);
            return true;
        }
    }
    return false;
}

static void check_folder(const char *folder)
{
    char path[512];
    DIR *dir;
    const struct dirent *e;
    size_t n = 0;

    (void)snprintf(path, sizeof path, "%s/%s", FILES, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        rag_error err = {RAG_OK, ""};
        read_docs d;
        rag_status st;

        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s/%s", FILES, folder, e->d_name);
        st = read_path(&d, path, &err);
        n++;
        if (must_be_refused(e->d_name, st))
            continue;
        if (st != RAG_OK)
            fail_msg("%s: %s", e->d_name, err.msg);
        assert_int_equal(d.n, 1);
        check_spans(d.doc[0]);
        read_free(&d);
    }
    (void)closedir(dir);
    assert_true(n >= 16);
}

static void every_file_is_read(void **state)
{
    (void)state;
    check_folder("encodings");
    check_folder("text");
    check_folder("html");
}

/* The letters and digits of a text as NFC, without what the encodings cannot
 * say: only the words count. */
static char *words_of(const char *name)
{
    char path[512];
    rag_error err;
    read_docs d;
    rag_buf nfc;
    rag_buf out;
    char *text;

    (void)snprintf(path, sizeof path, "%s/encodings/%s", FILES, name);
    OK(read_path(&d, path, &err), &err);
    rag_buf_init(&nfc, (size_t)1 << 20);
    rag_buf_init(&out, (size_t)1 << 20);
    rag_utf8_nfc(&nfc, rag_str_n(d.doc[0]->text, d.doc[0]->text_len));
    for (size_t i = 0; i < nfc.len;) {
        uint32_t cp;
        size_t n = rag_utf8_decode(&cp, NULL,
                                   rag_str_cut(rag_buf_str(&nfc), i, nfc.len));

        if (rag_utf8_is_alnum(cp))
            rag_buf_add(&out, nfc.ptr + i, n);
        i += n;
    }
    text = rag_buf_take(&out, NULL);
    rag_buf_dispose(&nfc);
    read_free(&d);
    assert_non_null(text);
    return text;
}

static void the_korean_page_is_the_same_in_every_encoding(void **state)
{
    static const char *const names[] = {
        "ko-utf8-bom.md",     "ko-crlf.md",           "ko-nfd-utf8.md",
        "ko-utf16le-bom.txt", "ko-utf16be-nobom.txt", "ko-cp949.txt",
        "ko-euckr.txt",       "ko-johab.txt",         "ko-iso2022kr.txt",
        "ko-euckr-meta.html", "ko-cp949-nometa.html"};
    char *want = words_of("ko-utf8.md");

    (void)state;
    assert_true(strlen(want) > 5000);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *have = words_of(names[i]);

        if (strcmp(have, want) != 0)
            fail_msg("%s: other words", names[i]);
        rag_free(have);
    }
    rag_free(want);
}

static void stray_bytes_are_counted(void **state)
{
    rag_error err;
    read_docs d;

    (void)state;
    OK(read_path(&d, FILES "/encodings/ko-mixed-bad-bytes.md", &err), &err);
    assert_int_equal(d.doc[0]->n_warnings, 2);
    assert_non_null(strstr(d.doc[0]->warnings[0], "UTF-8, 3 bytes replaced"));
    read_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_is_read),
        cmocka_unit_test(the_korean_page_is_the_same_in_every_encoding),
        cmocka_unit_test(stray_bytes_are_counted),
    };

    if (access(FILES "/MANIFEST.tsv", R_OK) != 0) {
        printf("skipped: no shared files at %s\n", FILES);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "readdoc.h"

#include "doc/charset.h"

static void check_refused(const char *name, const void *bytes, size_t n,
                          rag_status want, const char *words)
{
    rag_error err = {RAG_OK, ""};
    read_docs d;
    rag_status st = read_bytes(&d, name, bytes, n, &err);

    if (st != want)
        fail_msg("%s: %s (%s)", name, rag_status_name(st), err.msg);
    if (strstr(err.msg, words) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", name, err.msg, words);
    assert_int_equal(d.n, 0);
}

static void check_type(const char *name, const char *text, rag_doc_type want)
{
    rag_doc *d = read_one(name, text);

    if (d->type != want)
        fail_msg("%s: %s", name, rag_doc_type_name(d->type));
    check_spans(d);
    rag_doc_free(d);
}

static void plain_text_has_any_suffix_or_none(void **state)
{
    static const char *const names[] = {"a.log", "a.c",  "a.yaml", "Makefile",
                                        "a.xml", "a.py", "README", "a.bin"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_type(names[i], "int x;\n\x1b[1mbold\x1b[0m\n", RAG_DOC_TEXT);
    check_type("a.jsonl", "{\"a\":1}\n{\"a\":2}\n", RAG_DOC_TEXT);
    check_type("a.jsonl", "{\"id\":1,\"body\":\"x\"}\n", RAG_DOC_TEXT);
    check_type("about.txt", "A file starts with %PDF-1.4 or so.\n",
               RAG_DOC_TEXT);
    check_type("songs.txt", "ID3 tags are old.\n", RAG_DOC_TEXT);
}

static void sniffs_by_content_and_suffix(void **state)
{
    (void)state;
    check_type("a.md", "# x\n", RAG_DOC_MARKDOWN);
    check_type("A.MARKDOWN", "# x\n", RAG_DOC_MARKDOWN);
    check_type("a.mdown", "<html>x\n", RAG_DOC_MARKDOWN);
    check_type("a.html", "x", RAG_DOC_HTML);
    check_type("page", " \n<!-- c --><!DOCTYPE HTML><p>x", RAG_DOC_HTML);
    check_type("page", "<?xml version='1.0'?>\n<html><p>x", RAG_DOC_HTML);
    check_type("page", "<p>x", RAG_DOC_TEXT);
    check_type("a.csv", "a,b\n1,2\n", RAG_DOC_CSV);
    check_type("a.tsv", "a\tb\n", RAG_DOC_TSV);
    check_type("a.jsonl", "{\"_id\":\"1\",\"text\":\"x\"}\n", RAG_DOC_RECORDS);
}

static void binary_is_refused_by_name(void **state)
{
    static const unsigned char bad[] = {1, 2, 3, 0, 5, 6, 0xFE, 0x80};

    (void)state;
    check_refused("a.zip", "PK\x03\x04\0\0\0\0", 8, RAG_E_UNSUPPORTED,
                  "a zip archive");
    check_refused("a.docx", "PK\x03\x04\0\0\0\0", 8, RAG_E_UNSUPPORTED,
                  "a docx document: no reader in this version");
    check_refused("a.doc", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0", 10,
                  RAG_E_UNSUPPORTED, "a doc document");
    check_refused("a",
                  "\x7F"
                  "ELF\x02\x01\x01\0\0\0\0\0",
                  12, RAG_E_UNSUPPORTED, "ELF");
    check_refused("a.txt", "\x89PNG\r\n\x1A\n\0\0\0\rIHDR", 16,
                  RAG_E_UNSUPPORTED, "a PNG image");
    check_refused("a.jpg", "\xFF\xD8\xFF\xE0\0\x10JFIF\0", 11,
                  RAG_E_UNSUPPORTED, "a JPEG image");
    check_refused("a.rtf", "{\\rtf1 hello}", 13, RAG_E_UNSUPPORTED, "RTF");
    check_refused("a.md", bad, sizeof bad, RAG_E_UNSUPPORTED, "binary");
    check_refused("a", bad, sizeof bad, RAG_E_UNSUPPORTED, "binary");
}

static void empty_is_said(void **state)
{
    (void)state;
    check_refused("a.md", "", 0, RAG_E_EMPTY, "empty");
    check_refused("a.txt", " \n\t\r\n\xE2\x80\x83", 8, RAG_E_EMPTY, "empty");
    check_refused("a.csv", "\xEF\xBB\xBF\n\n", 5, RAG_E_EMPTY, "empty");
    check_refused("a.html", "<p> </p><script>x</script>", 26, RAG_E_NOTEXT,
                  "no text");
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void options_force_limit_and_cancel(void **state)
{
    rag_doc_opts opts = {.type = "text"};
    rag_error err;
    read_docs d;

    (void)state;
    OK(read_opts(&d, "a.md", "# x\n", 4, &opts, &err), &err);
    assert_int_equal(d.doc[0]->type, RAG_DOC_TEXT);
    read_free(&d);
    opts.type = "nonsense";
    assert_int_equal(read_opts(&d, "a.md", "# x\n", 4, &opts, &err),
                     RAG_E_INVAL);
    opts.type = NULL;
    opts.max_bytes = 3;
    assert_int_equal(read_opts(&d, "a.md", "# x\n", 4, &opts, &err),
                     RAG_E_LIMIT);
    assert_non_null(strstr(err.msg, "Markdown files above 3"));
    opts.max_bytes = 0;
    opts.cancelled = always;
    assert_int_equal(read_opts(&d, "a.md", "# x\n", 4, &opts, &err),
                     RAG_E_CANCELLED);
}

static void types_have_names_and_versions(void **state)
{
    (void)state;
    for (int t = RAG_DOC_TEXT; t <= RAG_DOC_TSV; t++) {
        const char *name = rag_doc_type_name((rag_doc_type)t);
        rag_doc_type back;

        assert_true(rag_doc_type_of(&back, rag_str_of(name)));
        assert_int_equal(back, t);
        assert_non_null(strchr(rag_doc_reader_version((rag_doc_type)t), '/'));
    }
    assert_false(
        rag_doc_type_of(&(rag_doc_type){RAG_DOC_TEXT}, RAG_STR_LIT("docx")));
    assert_non_null(strstr(rag_doc_sniff_version(), "sniff/"));
}

static void pages_are_found(void **state)
{
    size_t starts[] = {0, 10, 10, 30};
    rag_doc d = {.page_starts = starts, .n_pages = 4};

    (void)state;
    assert_int_equal(rag_doc_page_at(&d, 0), 1);
    assert_int_equal(rag_doc_page_at(&d, 9), 1);
    assert_int_equal(rag_doc_page_at(&d, 10), 3);
    assert_int_equal(rag_doc_page_at(&d, 99), 4);
    d.n_pages = 0;
    assert_int_equal(rag_doc_page_at(&d, 5), 0);
}

/* ---- charsets */

static void check_decoded(const char *bytes, size_t n, const char *charset,
                          const char *want)
{
    rag_error err;
    read_docs d;

    OK(read_bytes(&d, "a.txt", bytes, n, &err), &err);
    assert_true(str_is(rag_str_n(d.doc[0]->text, d.doc[0]->text_len), want));
    if (charset != NULL)
        assert_true(meta_is(d.doc[0], "charset", charset));
    else
        assert_int_equal(d.doc[0]->n_meta, 0);
    check_spans(d.doc[0]);
    read_free(&d);
}
#define DECODED(lit, charset, want)                                            \
    check_decoded(lit, sizeof(lit) - 1, charset, want)

static void encodings_are_recognised(void **state)
{
    (void)state;
    DECODED("caf\xC3\xA9\n", NULL, "café\n");
    DECODED("\xEF\xBB\xBF"
            "a\r\nb",
            NULL,
            "\xEF\xBB\xBF"
            "a\r\nb");
    DECODED("\xFF\xFE"
            "a\0\n\0\x00\xAC",
            "UTF-16LE",
            "\xEF\xBB\xBF"
            "a\n가");
    DECODED("\xFE\xFF\0a\0\n\xAC\x00", "UTF-16BE",
            "\xEF\xBB\xBF"
            "a\n가");
    DECODED("a\0b\0 \0c\0\n\0", "UTF-16LE", "ab c\n");
    DECODED("\xAC\x00\xB0\x98\0 \xB2\xE4\0\n\0a", "UTF-16BE", "가나 다\na");
    DECODED("\xFF\xFE\0\0a\0\0\0\x00\xAC\0\0", "UTF-32LE",
            "\xEF\xBB\xBF"
            "a가");
    DECODED("\0\0\xFE\xFF\0\0\0a", "UTF-32BE",
            "\xEF\xBB\xBF"
            "a");
    DECODED("a\0\0\0b\0\0\0\n\0\0\0", "UTF-32LE", "ab\n");
    DECODED("na\xEFve caf\xE9 fa\xE7"
            "ade\n",
            "CP1252", "naïve café façade\n");
    DECODED("5 \x80 \x96 ok\n", "CP1252", "5 € – ok\n");
    DECODED("\xC0\xFC\xBF\xF8\xC0\xBB \xB2\xF4\xB0\xED "
            "\xB1\xE2\xB4\xD9\xB8\xB3\xB4\xCF\xB4\xD9.\n",
            "CP949", "전원을 끄고 기다립니다.\n");
    DECODED(
        "\x82\xB1\x82\xEA\x82\xCD\x90\xE0\x96\xBE\x8F\x91\x82\xC5\x82\xB7\n",
        "CP932", "これは説明書です\n");
    DECODED("Install the \x83|\x83\x93\x83v pump and open the \x83J\x83o\x81[ "
            "first.\n",
            "CP932", "Install the ポンプ pump and open the カバー first.\n");
    DECODED("Install the \xA5\xDD\xA5\xF3\xA5\xD7 pump and open the "
            "\xA5\xAB\xA5\xD0\xA1\xBC first.\n",
            "EUC-JP", "Install the ポンプ pump and open the カバー first.\n");
    DECODED("It\x92s \x93"
            "fine\x94 \x96 don\x92t worry.\n",
            "CP1252", "It’s “fine” – don’t worry.\n");
    DECODED("\xDD\xF2\xEE \xF0\xF3\xEA\xEE\xE2\xEE\xE4\xF1\xF2\xE2\xEE "
            "\xEF\xEE \xEE\xE1\xF1\xEB\xF3\xE6\xE8\xE2\xE0\xED\xE8\xFE "
            "\xED\xE0\xF1\xEE\xF1\xE0.\n",
            "WINDOWS-1251", "Это руководство по обслуживанию насоса.\n");
    DECODED("\x1F\x04"
            "5\x04@\x04"
            "5\x04"
            "4\x04 \x00>\x04"
            "B\x04:\x04@\x04K\x04"
            "B\x04"
            "8\x04"
            "5\x04<\x04 \x00:\x04@\x04K\x04H\x04:\x04"
            "8\x04.\x00\n\x00",
            "UTF-16LE", "Перед открытием крышки.\n");
    DECODED("\x1B$)C\n\x0E"
            "0!\x0F a\n",
            "ISO-2022-KR", "\n가 a\n");
}

static void faults_are_replaced_and_counted(void **state)
{
    static const char korean[] =
        "\xEA\xB0\x80\xEB\x82\x98\xEB\x8B\xA4\xEB\x9D\xBC \xFF "
        "\xEB\xA7\x88\0\xEB\xB0\x94\xEC\x82\xAC\xEC\x95\x84\xEC\x9E";
    rag_error err;
    read_docs d;
    const rag_doc *doc;

    (void)state;
    OK(read_bytes(&d, "a.txt", korean, sizeof korean - 1, &err), &err);
    doc = d.doc[0];
    assert_true(
        str_is(rag_str_n(doc->text, doc->text_len), "가나다라 � 마�바사아�"));
    assert_int_equal(doc->n_warnings, 2);
    assert_string_equal(doc->warnings[0], "decoded as UTF-8, 2 bytes replaced");
    assert_string_equal(doc->warnings[1], "1 NUL byte replaced");
    check_spans(doc);
    read_free(&d);
    /* one stray byte in CP949 */
    OK(read_bytes(&d, "a.txt",
                  "\xC0\xFC\xBF\xF8\xC0\xBB \xB2\xF4\xB0\xED \xFF\n"
                  "\xB1\xE2\xB4\xD9\xB8\xB3\xB4\xCF\xB4\xD9",
                  24, &err),
       &err);
    assert_int_equal(d.doc[0]->n_warnings, 1);
    assert_string_equal(d.doc[0]->warnings[0],
                        "decoded as CP949, 1 byte replaced");
    read_free(&d);
}

/* of characters of three and four bytes */
static const unsigned char pieces[] = {0xEA, 0xB0, 0x80, 0xF0,
                                       0x9F, 0x98, 0x80, 0x67};

static void mending_equals_scrubbing(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[40];
        size_t n = (size_t)round % sizeof bytes;
        size_t n_bad;
        size_t n_nul;
        rag_buf a;
        rag_buf b;

        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (unsigned char)(seed >> 56) | (unsigned char)1;
            if (seed >> 32 & 1)
                bytes[i] = pieces[seed >> 40 & 7];
        }
        rag_buf_init(&a, 4096);
        rag_buf_init(&b, 4096);
        rag_buf_add(&a, bytes, n);
        rag_utf8_scrub(&b, rag_buf_str(&a));
        rag_charset_mend(&a, &n_bad, &n_nul);
        assert_int_equal(n_nul, 0);
        assert_true(rag_str_eq(rag_buf_str(&a), rag_buf_str(&b)));
        rag_buf_dispose(&a);
        rag_buf_dispose(&b);
    }
}

static void labels_mean_what_browsers_read(void **state)
{
    char name[RAG_CHARSET_NAME_BYTES];

    (void)state;
    assert_true(rag_charset_of_label(name, RAG_STR_LIT(" EUC-KR ")));
    assert_string_equal(name, "CP949");
    assert_true(rag_charset_of_label(name, RAG_STR_LIT("ISO-8859-1")));
    assert_string_equal(name, "CP1252");
    assert_true(rag_charset_of_label(name, RAG_STR_LIT("koi8-r")));
    assert_false(rag_charset_of_label(name, RAG_STR_LIT("no-such-set")));
    assert_false(rag_charset_of_label(name, RAG_STR_LIT("utf-8//IGNORE")));
    assert_false(rag_charset_of_label(name, RAG_STR_LIT("")));
}

/* More than one step of the decoder, with characters across its edges. */
static void long_files_are_decoded_in_steps(void **state)
{
    size_t n = 600001;
    char *bytes = malloc(n);
    rag_error err;
    read_docs d;
    size_t n_ga = 0;

    (void)state;
    assert_non_null(bytes);
    bytes[0] = 'x';
    for (size_t i = 1; i + 1 < n; i += 2)
        memcpy(bytes + i, i % 60 == 59 ? " \n" : "\xB0\xA1", 2);
    OK(read_bytes(&d, "a.txt", bytes, n, &err), &err);
    for (size_t i = 1; i + 1 < n; i += 2)
        n_ga += i % 60 != 59;
    assert_int_equal(d.doc[0]->text_len, 1 + n_ga * 3 + (300000 - n_ga) * 2);
    assert_int_equal(d.doc[0]->n_warnings, 0);
    read_free(&d);
    free(bytes);
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    CHECK_OOM(read_and_drop("a.txt", "one\ntwo \xFF\xFE\n\xEA\xB0\x80"));
    CHECK_OOM(read_and_drop("a.txt", "caf\xE9\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_has_any_suffix_or_none),
        cmocka_unit_test(sniffs_by_content_and_suffix),
        cmocka_unit_test(binary_is_refused_by_name),
        cmocka_unit_test(empty_is_said),
        cmocka_unit_test(options_force_limit_and_cancel),
        cmocka_unit_test(types_have_names_and_versions),
        cmocka_unit_test(pages_are_found),
        cmocka_unit_test(encodings_are_recognised),
        cmocka_unit_test(faults_are_replaced_and_counted),
        cmocka_unit_test(mending_equals_scrubbing),
        cmocka_unit_test(labels_mean_what_browsers_read),
        cmocka_unit_test(long_files_are_decoded_in_steps),
        cmocka_unit_test(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

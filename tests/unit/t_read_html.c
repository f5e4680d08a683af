#include "readdoc.h"

#include "base/file.h"
#include "doc/html_scan.h"

/* tests/data/html/NAME.html becomes the blocks of NAME.txt. */
static void check_page(const char *name)
{
    char path[512];
    rag_error err;
    read_docs d;
    rag_buf want;
    char *have;

    (void)snprintf(path, sizeof path, "%s/html/%s.html", RAG_TEST_DATA, name);
    OK(read_path(&d, path, &err), &err);
    check_spans(d.doc[0]);
    assert_int_equal(d.doc[0]->type, RAG_DOC_HTML);
    assert_false(d.doc[0]->has_lines);
    have = dump_blocks(d.doc[0]);
    (void)snprintf(path, sizeof path, "%s/html/%s.txt", RAG_TEST_DATA, name);
    rag_buf_init(&want, (size_t)1 << 20);
    OK(rag_file_read(&want, path, (size_t)1 << 20, &err), &err);
    assert_string_equal(have, want.ptr);
    rag_free(have);
    rag_buf_dispose(&want);
    read_free(&d);
}

static void pages_read_as_expected(void **state)
{
    static const char *const names[] = {"article", "tables",   "lists",
                                        "pre",     "entities", "emphasis",
                                        "oldpage", "header",   "chrome"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_page(names[i]);
}

static void meta_is_kept(void **state)
{
    rag_doc *d = read_one(
        "a.html", "<html lang=ko><meta name=description content='한 줄'>"
                  "<meta name=Author content=Kim><meta name=viewport content=x>"
                  "<title>T</title><p>x");

    (void)state;
    assert_true(meta_is(d, "lang", "ko"));
    assert_true(meta_is(d, "description", "한 줄"));
    assert_true(meta_is(d, "Author", "Kim"));
    assert_int_equal(d->n_meta, 3);
    assert_true(str_is(d->title, "T"));
    rag_doc_free(d);
}

static void text_layout_is_stable(void **state)
{
    rag_doc *d = read_one("a.html", "<h1>A</h1><p>b</p><ul><li>c<ul><li>d</ul>"
                                    "</ul><table><tr><th>x<th>y<tr><td>1<td>2"
                                    "</table><pre>e</pre>");

    (void)state;
    assert_true(str_is(rag_str_n(d->text, d->text_len),
                       "A\n\nb\n\n- c\n  - d\n\nx | y\n1 | 2\n\ne"));
    rag_doc_free(d);
}

static void charset_comes_from_mark_meta_and_guess(void **state)
{
    static const char korean[] = "<p>\xC0\xFC\xBF\xF8\xC0\xBB \xB2\xF4\xBD\xC3"
                                 "\xBF\xC0";
    static const char latin[] =
        "<meta http-equiv=content-type content='text/html; charset=euc-kr'>"
        "<p>\xC0\xFC";
    rag_error err;
    read_docs d;

    (void)state;
    OK(read_bytes(&d, "a.html", korean, sizeof korean - 1, &err), &err);
    assert_true(block_is(d.doc[0], 0, RAG_BLOCK_PARA, "전원을 끄시오"));
    read_free(&d);
    OK(read_bytes(&d, "a.html", latin, sizeof latin - 1, &err), &err);
    assert_true(block_is(d.doc[0], 0, RAG_BLOCK_PARA, "전"));
    read_free(&d);
    /* declared wrongly: it is UTF-8 */
    OK(read_bytes(&d, "a.html", "<meta charset=euc-kr><p>\xEA\xB0\x80", 27,
                  &err),
       &err);
    assert_true(block_is(d.doc[0], 0, RAG_BLOCK_PARA, "가"));
    read_free(&d);
}

static char *repeat(const char *s, size_t n)
{
    size_t len = strlen(s);
    char *out = malloc(len * n + 1);

    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * len, s, len);
    out[len * n] = '\0';
    return out;
}

static rag_status read_repeated(const char *s, size_t n, rag_error *err)
{
    char *page = repeat(s, n);
    read_docs d;
    rag_status st = read_bytes(&d, "a.html", page, strlen(page), err);

    read_free(&d);
    free(page);
    return st;
}

/* Each of these ends the process of a reader that trusts its parser. */
static void hostile_pages_end_in_an_error(void **state)
{
    rag_error err;

    (void)state;
    assert_int_equal(read_repeated("<div>", 500000, &err), RAG_E_LIMIT);
    assert_non_null(strstr(err.msg, "512"));
    assert_int_equal(read_repeated("<b>", 500000, &err), RAG_E_LIMIT);
    assert_int_equal(read_repeated("<x/>", 500000, &err), RAG_E_LIMIT);
    assert_int_equal(read_repeated("<svg><title><div>", 200000, &err),
                     RAG_E_LIMIT);
    assert_int_equal(read_repeated("<table><tr><td>", 100000, &err),
                     RAG_E_LIMIT);
    assert_int_equal(read_repeated("<ul><li>", 100000, &err), RAG_E_LIMIT);
    assert_int_equal(read_repeated("x", (8 << 20) + 1, &err), RAG_E_LIMIT);
    assert_non_null(strstr(err.msg, "HTML files above 8388608"));
}

/* Formatting that is opened again in every paragraph: memory, not depth. */
static void exploding_pages_end_in_an_error(void **state)
{
    rag_buf b;
    rag_error err;
    read_docs d;

    (void)state;
    rag_buf_init(&b, (size_t)4 << 20);
    rag_buf_addz(&b, "<p>");
    for (int i = 0; i < 400; i++)
        rag_buf_addf(&b, "<b id=%d>", i);
    for (int i = 0; i < 100000; i++)
        rag_buf_addz(&b, "<p>x");
    OK(rag_buf_status(&b, &err), &err);
    assert_int_equal(read_bytes(&d, "a.html", b.ptr, b.len, &err), RAG_E_LIMIT);
    assert_non_null(strstr(err.msg, "parsed page"));
    rag_buf_dispose(&b);
}

/* What may be left open is not deep. */
static void flat_pages_are_read(void **state)
{
    rag_error err;

    (void)state;
    OK(read_repeated("<p>x<li>y<dt>a<dd>b<tr><td>c<option>", 5000, &err), &err);
    OK(read_repeated("<p><font color=red>x", 5000, &err), &err);
    OK(read_repeated("<img src=x><br>a<hr/><input>", 5000, &err), &err);
    OK(read_repeated("<a title='<b>' href=\">\">x</a>", 5000, &err), &err);
    OK(read_repeated("<script>'<div>'</script><!-- <div> -->x", 5000, &err),
       &err);
    OK(read_repeated("<p>x<o:p/></p>", 5000, &err), &err);
}

static void depth_is_measured(void **state)
{
    (void)state;
    assert_false(rag_html_scan_too_deep(RAG_STR_LIT("<a><b><c>"), 3));
    assert_true(rag_html_scan_too_deep(RAG_STR_LIT("<a><b><c>"), 2));
    assert_false(rag_html_scan_too_deep(RAG_STR_LIT("<a></a><b></b><c>"), 1));
    assert_true(
        rag_html_scan_too_deep(RAG_STR_LIT("<a b=\">\" =\"><b><c>"), 2));
    assert_true(rag_html_scan_too_deep(RAG_STR_LIT("<!-- --!><a><b>"), 1));
    assert_true(rag_html_scan_too_deep(RAG_STR_LIT("<!--><a><b>"), 1));
    assert_false(rag_html_scan_too_deep(RAG_STR_LIT("<"), 1));
    assert_false(rag_html_scan_too_deep(RAG_STR_LIT("<a"), 1));
}

/* gumbo reads the digits into an int that wraps around: &#4294967361; was an
 * "A", &#x80000081; the byte 0x81 and &#x80000000; the end of the text. */
static void references_past_unicode_are_replaced(void **state)
{
    static const char *const refs[] = {
        "&#1114112;",    "&#x110000;",  "&#X7fffffff;", "&#x80000081;",
        "&#4294967361;", "&#xFFFFFFFF", "&#x80000000;", "&#00099999999999999;"};

    (void)state;
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        char page[256];
        rag_doc *d;

        (void)snprintf(page, sizeof page,
                       "<h1>%s</h1><p>x%s y<table><tr><td>a<td>%s", refs[i],
                       refs[i], refs[i]);
        d = read_one("a.html", page);
        assert_string_equal(d->text, "\uFFFD\n\nx\uFFFD y\n\na | \uFFFD");
        rag_doc_free(d);
    }
}

static void reference_before_a_hex_digit_stays_decimal(void **state)
{
    rag_doc *d = read_one("a.html", "<p>&#8800000FFF1;");

    (void)state;
    assert_string_equal(d->text, "\uFFFDFFF1;");
    rag_doc_free(d);
}

static void other_references_stay(void **state)
{
    static const char *const same[] = {
        "",   "&",      "&#",         "&#x",           "a&#x",
        "&;", "&#65;a", "&#x10FFFF;", "&#0000000065;", "# 1114112 &amp;"};

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        size_t len = strlen(same[i]);
        char *copy = rag_strndup(same[i], len);

        assert_non_null(copy);
        rag_html_scan_tame_refs(copy, len);
        assert_string_equal(copy, same[i]);
        rag_free(copy);
    }
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    CHECK_OOM(read_and_drop(
        "a.html",
        "<html lang=en><title>T</title><h1>A</h1><p>b<ul><li>c</ul>"
        "<table><tr><th rowspan=2>x<th>y<tr><td>1</table><pre>e</pre>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_read_as_expected),
        cmocka_unit_test(meta_is_kept),
        cmocka_unit_test(text_layout_is_stable),
        cmocka_unit_test(charset_comes_from_mark_meta_and_guess),
        cmocka_unit_test(hostile_pages_end_in_an_error),
        cmocka_unit_test(exploding_pages_end_in_an_error),
        cmocka_unit_test(flat_pages_are_read),
        cmocka_unit_test(depth_is_measured),
        cmocka_unit_test(references_past_unicode_are_replaced),
        cmocka_unit_test(reference_before_a_hex_digit_stays_decimal),
        cmocka_unit_test(other_references_stay),
        cmocka_unit_test(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

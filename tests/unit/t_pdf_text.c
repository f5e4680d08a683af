#include "test.h"

#include "doc/pdf_text.h"

/* The steps that need no PDF: pages as pdftotext would print them. */

static rag_buf page; /* the stream being written */

static void open_stream(void)
{
    rag_buf_init(&page, 1u << 20);
    rag_buf_addz(&page, "<!DOCTYPE html><html xmlns=\"x\">\n<head>\n"
                        "<title>A &amp; B</title>\n"
                        "<meta name=\"Author\" content=\"O&apos;Neil\"/>\n"
                        "</head>\n<body>\n<doc>\n");
}

static void open_page(void)
{
    rag_buf_addz(&page, "<page width=\"600.000000\" height=\"800.000000\">\n"
                        "<flow>\n<block xMin=\"0\" yMin=\"0\" xMax=\"0\" "
                        "yMax=\"0\">\n");
}

static void close_page(void)
{
    rag_buf_addz(&page, "</block>\n</flow>\n</page>\n");
}

static void next_block(void)
{
    rag_buf_addz(&page, "</block>\n<block xMin=\"0\" yMin=\"0\" xMax=\"0\" "
                        "yMax=\"0\">\n");
}

/* A line of words, six points a letter and ten high. */
static void line(double x, double y, const char *words)
{
    double width = 6.0 * (double)strlen(words);

    rag_buf_addf(&page,
                 "<line xMin=\"%f\" yMin=\"%f\" xMax=\"%f\" yMax=\"%f\">\n", x,
                 y, x + width, y + 10);
    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        rag_buf_addf(&page,
                     "<word xMin=\"%f\" yMin=\"%f\" xMax=\"%f\" "
                     "yMax=\"%f\">%.*s</word>\n",
                     x, y, x + 6.0 * (double)n, y + 10, (int)n, words);
        x += 6.0 * (double)(n + 1);
        words += n;
        words += *words == ' ';
    }
    rag_buf_addz(&page, "</line>\n");
}

static void close_stream(void)
{
    rag_buf_addz(&page, "</doc>\n</body>\n</html>\n");
}

/* Feeds what was written, cut into pieces of step bytes. */
static rag_status build(rag_doc **out, size_t step, rag_error *err)
{
    rag_pdf_layout l;
    rag_builder b;
    rag_status st;

    *out = NULL;
    rag_pdf_layout_init(&l);
    st = rag_builder_init(&b, RAG_DOC_PDF, RAG_PDF_MAX_TEXT_BYTES, err);
    if (st != RAG_OK)
        return st;
    for (size_t i = 0; i < page.len; i += step)
        TRY(rag_pdf_layout_feed(
            &l, rag_str_cut(rag_buf_str(&page), i, i + step), err));
    TRY(rag_pdf_layout_end(&l, err));
    TRY(rag_pdf_text_build(&b, &l, NULL, err));
    TRY(rag_builder_finish(out, &b, err));
out:
    rag_pdf_layout_dispose(&l);
    rag_builder_dispose(&b);
    return st;
}

static rag_status build_and_free(void)
{
    rag_doc *d;
    rag_status st = build(&d, 100, NULL);

    rag_doc_free(d);
    return st;
}

static void reads_as(const char *want)
{
    rag_error err;
    rag_doc *d;

    close_stream();
    OK(build(&d, page.len, &err), &err);
    assert_string_equal(d->text, want);
    rag_doc_free(d);
    rag_buf_dispose(&page);
}

static void test_cut_anywhere(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    open_page();
    line(10, 300, "Fish &amp; chips &lt;now&gt;");
    close_page();
    close_stream();
    for (size_t step = 1; step < 40; step++) {
        OK(build(&d, step, &err), &err);
        assert_string_equal(d->text, "Fish & chips <now>");
        assert_int_equal(d->n_pages, 1);
        rag_doc_free(d);
    }
    rag_buf_dispose(&page);
}

static void test_meta(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    open_page();
    line(10, 300, "x");
    close_page();
    close_stream();
    OK(build(&d, 7, &err), &err);
    assert_int_equal(d->title.len, 0); /* "A & B" looks like none */
    assert_int_equal(d->n_meta, 1);
    assert_true(rag_str_eqz(d->meta_values[0], "O'Neil"));
    rag_doc_free(d);
    rag_buf_dispose(&page);
}

static void test_unfinished_stream(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    open_page();
    line(10, 300, "half of it");
    assert_int_equal(build(&d, 50, &err), RAG_E_FORMAT);
    rag_buf_dispose(&page);
}

static void test_no_lines_is_no_text(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    open_page();
    line(10, 300, "\x01\x02");
    close_page();
    close_stream();
    assert_int_equal(build(&d, 50, &err), RAG_E_NOTEXT);
    rag_buf_dispose(&page);
}

static void test_characters(void **state)
{
    (void)state;
    open_stream();
    open_page();
    line(10, 300,
         "e\xEF\xAC\x80ort o\xEF\xAC\x83"
         "ce so\xC2\xAD"
         "ft a\x01"
         "b bad\xFF"
         "byte no\xC2\xA0"
         "break");
    close_page();
    reads_as("effort office soft ab bad\xEF\xBF\xBD"
             "byte no break");
}

static void test_soft_hyphen_joins(void **state)
{
    (void)state;
    open_stream();
    open_page();
    line(10, 300, "a word that is cut in the mid\xC2\xAD");
    line(10, 312, "dle of it");
    close_page();
    reads_as("a word that is cut in the middle\nof it");
}

/* The document tells which hyphens are part of a word. */
static void test_hyphens_by_the_document(void **state)
{
    (void)state;
    open_stream();
    open_page();
    line(10, 300, "the database and its re-use, a long-term plan, a data-");
    line(10, 312, "base again, and the re-");
    line(10, 324, "use of it, which is a very long-");
    line(10, 336, "term plan for the WORLD-");
    line(10, 348, "Bank and the INFOR-");
    line(10, 360, "MATION in it - a dash -");
    line(10, 372, "is none.");
    close_page();
    reads_as("the database and its re-use, a long-term plan, a database\n"
             "again, and the re-use\nof it, which is a very long-term\n"
             "plan for the WORLD-Bank\nand the INFORMATION\n"
             "in it - a dash -\nis none.");
}

/* Half a word on each of two pages: it stands on the first. */
static void test_word_over_a_page(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    open_page();
    line(10, 400, "this is a line of running text in one column");
    line(10, 412, "and it breaks off in the middle of a sen-");
    close_page();
    open_page();
    line(10, 100, "tence that goes on over here with more words");
    line(10, 112, "until it ends.");
    close_page();
    close_stream();
    OK(build(&d, 1000, &err), &err);
    assert_string_equal(
        d->text, "this is a line of running text in one column\n"
                 "and it breaks off in the middle of a sentence\n"
                 "that goes on over here with more words\nuntil it ends.");
    assert_int_equal(d->n_pages, 2);
    assert_int_equal(d->page_starts[1],
                     (size_t)(strstr(d->text, "that goes") - d->text));
    assert_int_equal(d->n_blocks, 1);
    rag_doc_free(d);
    rag_buf_dispose(&page);
}

/* Numbers of a column of their own go to their rows; numbers beside running
 * text stay where they are. */
static void test_rows(void **state)
{
    (void)state;
    open_stream();
    open_page();
    line(10, 300, "Net sales");
    line(10, 312, "Cost");
    next_block();
    line(200, 300, "1,200");
    line(200, 312, "(800)");
    next_block();
    line(300, 300, "$");
    line(300, 312, "$");
    next_block();
    line(330, 300, "1,100");
    line(330, 312, "700");
    close_page();
    reads_as("Net sales  1,200  $ 1,100\nCost  (800)  $ 700");

    open_stream();
    open_page();
    line(10, 300, "a line of text that runs over the whole column");
    line(10, 312, "and a second line of it that is about as wide");
    line(10, 324, "and a third line of it that is also as wide as");
    line(10, 336, "the others are, so that this is clearly prose.");
    next_block();
    line(400, 312, "42");
    close_page();
    reads_as("a line of text that runs over the whole column\n"
             "and a second line of it that is about as wide\n"
             "and a third line of it that is also as wide as\n"
             "the others are, so that this is clearly prose.\n\n42");
}

static void table_page(int n)
{
    open_page();
    line(10, 20, "Part");
    line(200, 20, "7");
    line(300, 20, "12");
    next_block();
    rag_buf_addz(&page, "");
    line(10, 400, n % 2 ? "something is said" : "another thing is said");
    close_page();
}

/* Numbers at one height of every page are no page numbers when they do not
 * count up. */
static void test_table_cells_stay(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    for (int i = 0; i < 6; i++)
        table_page(i);
    close_stream();
    OK(build(&d, 1000, &err), &err);
    assert_non_null(strstr(d->text, "7  12"));
    rag_doc_free(d);
    rag_buf_dispose(&page);
}

/* Copies of one page are not furniture. */
static void test_equal_pages_stay(void **state)
{
    rag_error err;
    rag_doc *d;

    (void)state;
    open_stream();
    for (int i = 0; i < 5; i++) {
        open_page();
        line(10, 20, "Notice");
        line(10, 40, "to all");
        close_page();
    }
    close_stream();
    OK(build(&d, 1000, &err), &err);
    assert_int_equal(d->n_warnings, 0);
    assert_int_equal(d->n_empty_pages, 0);
    assert_int_equal(d->page_starts[4], 4 * strlen("Notice\nto all\n\n"));
    rag_doc_free(d);
    rag_buf_dispose(&page);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    open_stream();
    for (int i = 0; i < 3; i++) {
        open_page();
        line(10, 20, "Running head");
        next_block();
        line(10, 300, "the first line of some text that is cut off in mid-");
        line(10, 312, "air and goes on");
        next_block();
        line(10, 330, "Net sales");
        line(200, 330, "1,200");
        next_block();
        line(10, 350, "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D");
        close_page();
    }
    close_stream();
    /* the page would not fit again while an allocation is failed */
    CHECK_OOM(build_and_free());
    rag_buf_dispose(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_unfinished_stream),
        cmocka_unit_test(test_no_lines_is_no_text),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_soft_hyphen_joins),
        cmocka_unit_test(test_hyphens_by_the_document),
        cmocka_unit_test(test_word_over_a_page),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_table_cells_stay),
        cmocka_unit_test(test_equal_pages_stay),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

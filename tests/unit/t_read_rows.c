/* read_csv.c and read_records.c */
#include "readdoc.h"

static void check_rows(const char *name, const char *text, const char *want)
{
    rag_doc *d = read_one(name, text);
    char *have = dump_blocks(d);

    assert_true(str_is(rag_str_n(d->text, d->text_len), text));
    assert_true(d->has_lines);
    check_spans(d);
    assert_string_equal(have, want);
    rag_free(have);
    rag_doc_free(d);
}

static void rows_have_the_first_as_head(void **state)
{
    (void)state;
    check_rows("a.csv", "name,qty\nbolt,5\r\n\n,,\nnut,7",
               "title: \nTABLE_HEAD 0: name,qty\nTABLE_ROW 0 head 0: bolt,5\n"
               "TABLE_ROW 0 head 0: nut,7\n");
    check_rows("a.tsv", "a\tb\n1\t2\n",
               "title: \nTABLE_HEAD 0: a\tb\nTABLE_ROW 0 head 0: 1\t2\n");
    check_rows("a.csv", "1,2\n3,4\n",
               "title: \nTABLE_ROW 0: 1,2\nTABLE_ROW 0: 3,4\n");
    check_rows("a.csv", "city,2019,2020\nSeoul,1,2\n",
               "title: \nTABLE_HEAD 0: city,2019,2020\n"
               "TABLE_ROW 0 head 0: Seoul,1,2\n");
    check_rows("a.csv", "Stock 2024,,\nname,qty,box\nbolt,5,A\n",
               "title: \nPARA 0: Stock 2024,,\nTABLE_HEAD 0: name,qty,box\n"
               "TABLE_ROW 0 head 1: bolt,5,A\n");
    check_rows("a.csv", "one column\nof text\n",
               "title: \nTABLE_HEAD 0: one column\n"
               "TABLE_ROW 0 head 0: of text\n");
}

static void quotes_hold_line_ends_and_separators(void **state)
{
    (void)state;
    check_rows("a.csv", "a,b\n\"x\ny, \"\"q\"\"\r\nz\",2\n3,4\n",
               "title: \nTABLE_HEAD 0: a,b\n"
               "TABLE_ROW 0 head 0: \"x\\ny, \"\"q\"\"\r\\nz\",2\n"
               "TABLE_ROW 0 head 0: 3,4\n");
    /* an inch is no quote */
    check_rows("a.csv", "size,n\n5\" nail,1\n6\" nail,2\n",
               "title: \nTABLE_HEAD 0: size,n\nTABLE_ROW 0 head 0: 5\" nail,1\n"
               "TABLE_ROW 0 head 0: 6\" nail,2\n");
}

static void an_unclosed_quote_is_a_character(void **state)
{
    rag_doc *d = read_one("a.csv", "a,b\n\"x,1\ny,2\n");

    (void)state;
    assert_int_equal(d->n_blocks, 3);
    assert_true(block_is(d, 1, RAG_BLOCK_TABLE_ROW, "\"x,1"));
    assert_int_equal(d->n_warnings, 1);
    assert_non_null(strstr(d->warnings[0], "never closed"));
    rag_doc_free(d);
}

static void separators_are_found(void **state)
{
    rag_doc *d;

    (void)state;
    /* the comma is decimal here: rows cut at it would differ */
    d = read_one("a.csv", "a;b;c\n1,5;2;x\n2,5;3;y\n");
    assert_int_equal(d->n_blocks, 3);
    rag_doc_free(d);
    d = read_one("a.csv", "a|b\n\"1\n|2\"|3\n");
    assert_int_equal(d->n_blocks, 2);
    rag_doc_free(d);
    d = read_one("a.csv", "sep=;\r\na;b\r\n1;2\r\n");
    assert_true(block_is(d, 0, RAG_BLOCK_TABLE_HEAD, "a;b"));
    assert_int_equal(d->n_blocks, 2);
    rag_doc_free(d);
    d = read_one("a.csv", "\xEF\xBB\xBFname,x\r1,2\r");
    assert_int_equal(d->blocks[0].start, 3);
    assert_true(block_is(d, 1, RAG_BLOCK_TABLE_ROW, "1,2"));
    rag_doc_free(d);
}

/* Rows of large files share blocks; still whole rows, still under the head. */
static void rows_of_large_files_are_grouped(void **state)
{
    rag_buf b;
    rag_error err;
    read_docs d;
    const rag_doc *doc;

    (void)state;
    rag_buf_init(&b, (size_t)64 << 20);
    rag_buf_addz(&b, "name,qty\n");
    while (b.len < ((size_t)16 << 20) + 1000)
        rag_buf_addz(&b, "bolt,12345\n");
    OK(read_bytes(&d, "a.csv", b.ptr, b.len, &err), &err);
    doc = d.doc[0];
    check_spans(doc);
    assert_true(doc->n_blocks > 1000 && doc->n_blocks < b.len / 400);
    for (size_t i = 1; i < doc->n_blocks; i++) {
        assert_int_equal(doc->blocks[i].head, 0);
        assert_int_equal(doc->text[doc->blocks[i].start], 'b');
        assert_int_equal(doc->text[doc->blocks[i].end], '\n');
    }
    read_free(&d);
    rag_buf_dispose(&b);
}

/* ---- records */

static void every_record_is_a_document(void **state)
{
    static const char text[] =
        "{\"_id\":\"a/1\",\"title\":\"T  x\",\"text\":\"one\\ntwo\","
        "\"lang\":\"ko\",\"year\":2024,\"deep\":{}}\n"
        "\n"
        "{\"id\":7,\"text\":\"\\uac00\"}\r\n"
        "{\"_id\":\"b\",\"title\":\"only a title\",\"text\":\"\"}";
    rag_error err;
    read_docs d;

    (void)state;
    OK(read_bytes(&d, "a.jsonl", text, sizeof text - 1, &err), &err);
    assert_int_equal(d.n, 3);
    for (size_t i = 0; i < 3; i++) {
        check_spans(d.doc[i]);
        assert_int_equal(d.doc[i]->type, RAG_DOC_RECORDS);
        assert_true(d.doc[i]->has_lines);
    }
    assert_true(str_is(d.doc[0]->record_id, "a/1"));
    assert_true(str_is(d.doc[0]->title, "T x"));
    assert_string_equal(d.doc[0]->text, "one\ntwo");
    assert_int_equal(d.doc[0]->record_line, 1);
    assert_true(meta_is(d.doc[0], "lang", "ko"));
    assert_true(meta_is(d.doc[0], "year", "2024"));
    assert_int_equal(d.doc[0]->n_meta, 2);
    assert_true(str_is(d.doc[1]->record_id, "7"));
    assert_string_equal(d.doc[1]->text, "가");
    assert_int_equal(d.doc[1]->record_line, 3);
    assert_int_equal(d.doc[2]->record_line, 4);
    assert_string_equal(d.doc[2]->text, "only a title");
    read_free(&d);
}

static void bad_lines_come_after_the_good_ones(void **state)
{
    static const char text[] = "{\"_id\":\"1\",\"text\":\"x\"}\n"
                               "{\"_id\":\"2\",\"text\":\n"
                               "{\"_id\":\"3\"}\n"
                               "{\"_id\":\"4\",\"text\":\"y\"}\n"
                               "{\"_id\":\"4\",\"text\":\"again\"}\n";
    static const char textless[] = "{\"_id\":\"1\",\"text\":\"x\"}\n"
                                   "{\"_id\":\"2\",\"text\":\" \"}\n";
    rag_error err;
    read_docs d;

    (void)state;
    assert_int_equal(read_bytes(&d, "a.jsonl", text, sizeof text - 1, &err),
                     RAG_E_FORMAT);
    assert_int_equal(d.n, 3);
    assert_non_null(strstr(err.msg, "2 lines of 5 are no record"));
    assert_non_null(strstr(err.msg, "line 2"));
    assert_true(str_is(d.doc[2]->record_id, "4"));
    read_free(&d);
    /* text that is not there is said, too */
    assert_int_equal(
        read_bytes(&d, "a.jsonl", textless, sizeof textless - 1, &err),
        RAG_E_NOTEXT);
    assert_int_equal(d.n, 1);
    read_free(&d);
}

static void long_lines_end_in_an_error_not_in_memory(void **state)
{
    rag_buf b;
    rag_error err;
    read_docs d;

    (void)state;
    rag_buf_init(&b, (size_t)32 << 20);
    rag_buf_addz(&b,
                 "{\"_id\":\"1\",\"text\":\"x\"}\n{\"_id\":\"2\",\"text\":\"");
    while (b.len < (size_t)17 << 20)
        rag_buf_addz(&b, "0123456789abcdef");
    rag_buf_addz(&b, "\"}\n{\"_id\":\"3\",\"text\":\"z\"}\n");
    assert_int_equal(read_bytes(&d, "a.jsonl", b.ptr, b.len, &err),
                     RAG_E_LIMIT);
    assert_int_equal(d.n, 2);
    assert_int_equal(d.doc[1]->record_line, 3);
    assert_non_null(strstr(err.msg, "line 2: longer than 16777216 bytes"));
    read_free(&d);
    rag_buf_dispose(&b);
}

/* A first record longer than what sniffing sees. */
static void a_long_first_record_is_recognised(void **state)
{
    rag_buf b;
    rag_error err;
    read_docs d;

    (void)state;
    rag_buf_init(&b, (size_t)1 << 20);
    rag_buf_addz(&b, "\xEF\xBB\xBF{\"_id\":\"1\",\"text\":\"");
    for (int i = 0; i < 20000; i++)
        rag_buf_addz(&b, "word ");
    rag_buf_addz(&b, "\"}\n");
    OK(read_bytes(&d, "a.jsonl", b.ptr, b.len, &err), &err);
    assert_int_equal(d.doc[0]->type, RAG_DOC_RECORDS);
    assert_int_equal(d.doc[0]->text_len, 100000);
    read_free(&d);
    rag_buf_dispose(&b);
}

static rag_status stop_at_two(void *ctx, rag_doc *doc, rag_error *err)
{
    int *n = ctx;

    rag_doc_free(doc);
    return ++*n == 2 ? rag_fail(err, RAG_E_CANCELLED, "enough") : RAG_OK;
}

static void the_sink_ends_the_reading(void **state)
{
    static const char text[] = "{\"id\":1,\"text\":\"a\"}\n"
                               "{\"id\":2,\"text\":\"b\"}\n"
                               "{\"id\":3,\"text\":\"c\"}\n";
    int fd = read_memory(text, sizeof text - 1);
    int n = 0;
    rag_error err;

    (void)state;
    assert_int_equal(rag_doc_read(fd, "a.jsonl", NULL, stop_at_two, &n, &err),
                     RAG_E_CANCELLED);
    assert_int_equal(n, 2);
    assert_string_equal(err.msg, "enough");
    (void)close(fd);
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    CHECK_OOM(read_and_drop("a.csv", "a,b\n1,2\n\"x\n\",3\n"));
    CHECK_OOM(read_and_drop("a.jsonl",
                            "{\"id\":1,\"text\":\"a\",\"title\":\"t\","
                            "\"x\":\"y\"}\n{\"id\":2,\"text\":\"b\"}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_the_first_as_head),
        cmocka_unit_test(quotes_hold_line_ends_and_separators),
        cmocka_unit_test(an_unclosed_quote_is_a_character),
        cmocka_unit_test(separators_are_found),
        cmocka_unit_test(rows_of_large_files_are_grouped),
        cmocka_unit_test(every_record_is_a_document),
        cmocka_unit_test(bad_lines_come_after_the_good_ones),
        cmocka_unit_test(long_lines_end_in_an_error_not_in_memory),
        cmocka_unit_test(a_long_first_record_is_recognised),
        cmocka_unit_test(the_sink_ends_the_reading),
        cmocka_unit_test(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

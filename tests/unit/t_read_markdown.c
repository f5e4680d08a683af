#include "readdoc.h"

static void check_blocks(const char *text, const char *want)
{
    rag_doc *d = read_one("a.md", text);
    char *have = dump_blocks(d);

    /* the text as read is the file */
    assert_true(str_is(rag_str_n(d->text, d->text_len), text));
    assert_true(d->has_lines);
    check_spans(d);
    assert_string_equal(have, want);
    rag_free(have);
    rag_doc_free(d);
}

static void headings_have_words_and_whole_lines(void **state)
{
    rag_doc *d = read_one(
        "a.md", "# The `code` and *more* &amp; &#x41; [link](u) ##\n"
                "text\n\nTwo\nlines\n=====\n\nSub\n---\n\n"
                "### Tools {#tools .c}\n#### A { #a }\n##### {not, one}\n"
                "> ###### In a quote\n\n# <b>x</b>\n");
    static const char *const words[] = {"The code and more & A link",
                                        "Two lines",
                                        "Sub",
                                        "Tools",
                                        "A",
                                        "{not, one}",
                                        "In a quote",
                                        "x"};
    static const uint32_t levels[] = {1, 1, 2, 3, 4, 5, 6, 1};
    size_t k = 0;

    (void)state;
    check_spans(d);
    for (size_t i = 0; i < d->n_blocks; i++) {
        if (d->blocks[i].kind != RAG_BLOCK_HEADING)
            continue;
        assert_true(str_is(d->heading_texts[i], words[k]));
        assert_int_equal(d->blocks[i].level, levels[k]);
        k++;
    }
    assert_int_equal(k, 8);
    assert_true(str_is(d->title, "The code and more & A link"));
    assert_true(block_is(d, 2, RAG_BLOCK_HEADING, "Two\nlines\n====="));
    assert_true(block_is(d, 3, RAG_BLOCK_HEADING, "Sub\n---"));
    assert_true(block_is(d, 7, RAG_BLOCK_HEADING, "> ###### In a quote"));
    rag_doc_free(d);
}

static void lists_and_quotes_are_blocks(void **state)
{
    (void)state;
    check_blocks("Intro **bold**  \nsecond line\n"
                 "\n- one\n- two\n  goes on\n  - inner\n    1. deep\n"
                 "- [x] done\n\n> quoted\n> more\n\n***\n\nend\n",
                 "title: \nPARA 0: Intro **bold**  \\nsecond line\n"
                 "ITEM 1: - one\nITEM 1: - two\\n  goes on\n"
                 "ITEM 2: - inner\nITEM 3: 1. deep\nITEM 1: - [x] done\n"
                 "PARA 0: > quoted\\n> more\nPARA 0: end\n");
    check_blocks(
        "1. loose\n\n   second\n\n2. item\n",
        "title: \nITEM 1: 1. loose\nPARA 1: second\nITEM 1: 2. item\n");
    check_blocks("- > quote in an item\n- # heading\n\n  text\n",
                 "title: heading\nITEM 1: - > quote in an item\n"
                 "HEADING 1: - # heading\nITEM 1: text\n");
}

static void code_is_one_block(void **state)
{
    (void)state;
    check_blocks(
        "a\n\n```py\n\nx = 1\n\n\ny\n```\nb\n",
        "title: \nPARA 0: a\nCODE 0: ```py\\n\\nx = 1\\n\\n\\ny\\n```\n"
        "PARA 0: b\n");
    check_blocks("~~~~\n~~~\n```\n~~~~\n",
                 "title: \nCODE 0: ~~~~\\n~~~\\n```\\n~~~~\n");
    check_blocks("```\nnever closed\n\n",
                 "title: \nCODE 0: ```\\nnever closed\n");
    check_blocks("```\n```\n\nx\n", "title: \nCODE 0: ```\\n```\nPARA 0: x\n");
    check_blocks("- item\n\n  ```\n  in\n  ```\n- next\n",
                 "title: \nITEM 1: - item\nCODE 1: ```\\n  in\\n  ```\n"
                 "ITEM 1: - next\n");
    check_blocks("> ```\n> q\n>\n> ```\n> text\n",
                 "title: \nCODE 0: > ```\\n> q\\n>\\n> ```\nPARA 0: > text\n");
    check_blocks("p\n\n    indented\n\n      more\n\nq\n",
                 "title: \nPARA 0: p\nCODE 0:     indented\\n\\n      more\n"
                 "PARA 0: q\n");
    check_blocks("```\na\n```\n```\nb\n```\n",
                 "title: \nCODE 0: ```\\na\\n```\nCODE 0: ```\\nb\\n```\n");
}

static void tables_have_heads(void **state)
{
    (void)state;
    check_blocks(
        "| a | b |\n|---|:-:|\n| 1 | `x\\|y` |\n|   | 2 |\n\n"
        "c | d\n--|--\n3 | 4\ntext\n\n> |e|f|\n> |-|-|\n> |5|6|\n\n"
        "no | table\n- | here | too\n",
        "title: \nTABLE_HEAD 0: | a | b |\\n|---|:-:|\n"
        "TABLE_ROW 0 head 0: | 1 | `x\\|y` |\n"
        "TABLE_ROW 0 head 0: |   | 2 |\n"
        "TABLE_HEAD 0: c | d\\n--|--\n"
        "TABLE_ROW 0 head 3: 3 | 4\n"
        "TABLE_ROW 0 head 3: text\n"
        "TABLE_HEAD 0: > |e|f|\\n> |-|-|\nTABLE_ROW 0 head 6: > |5|6|\n"
        "PARA 0: no | table\nITEM 1: - | here | too\n");
}

static void front_matter_is_meta(void **state)
{
    rag_doc *d =
        read_one("a.md", "\xEF\xBB\xBF---\r\ntitle: \"The: Title\"\r\n"
                         "tags: [a, b]\r\n# a comment\r\nnested:\r\n"
                         "  - one\r\n  - 'two'\r\nabout: >\r\n  long\r\n"
                         "  text\r\nurl: http://x/y\r\n---\r\n# Head\r\n");

    (void)state;
    check_spans(d);
    assert_true(str_is(d->title, "The: Title"));
    assert_true(meta_is(d, "title", "The: Title"));
    assert_true(meta_is(d, "tags", "a, b"));
    assert_true(meta_is(d, "nested", "one, two"));
    assert_true(meta_is(d, "about", "long text"));
    assert_true(meta_is(d, "url", "http://x/y"));
    assert_int_equal(d->n_blocks, 2);
    assert_int_equal(d->blocks[0].kind, RAG_BLOCK_META);
    assert_int_equal(d->blocks[0].start, 3);
    assert_true(block_is(d, 1, RAG_BLOCK_HEADING, "# Head"));
    rag_doc_free(d);

    check_blocks("+++\ntitle = 'T'\n[extra]\n+++\nx\n",
                 "title: T\nMETA 0: +++\\ntitle = 'T'\\n[extra]\\n+++\n"
                 "PARA 0: x\n");
    check_blocks("---\nNo key here.\n\n---\nx\n",
                 "title: \nPARA 0: No key here.\n"
                 "PARA 0: x\n");
}

static void html_counts_when_it_has_words(void **state)
{
    (void)state;
    check_blocks("<!-- a comment -->\n\n<div align=\"center\">\n\ntext\n\n"
                 "</div>\n\n<p>Words <b>here</b></p>\n\n"
                 "<script>\nvar x;\n</script>\n",
                 "title: \nPARA 0: text\nPARA 0: <p>Words <b>here</b></p>\n");
}

static void nfd_and_crlf_stay(void **state)
{
    static const char nfd[] = "# \xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8\r\n\r\n"
                              "\xE1\x84\x82\xE1\x85\xA1 x\r\n";
    rag_doc *d = read_one("a.md", nfd);

    (void)state;
    check_spans(d);
    assert_true(str_is(rag_str_n(d->text, d->text_len), nfd));
    assert_true(block_is(d, 0, RAG_BLOCK_HEADING,
                         "# \xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"));
    assert_true(str_is(d->title, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"));
    assert_true(block_is(d, 1, RAG_BLOCK_PARA, "\xE1\x84\x82\xE1\x85\xA1 x"));
    rag_doc_free(d);
    /* a mark that belongs to the blank before it */
    d = read_one("a.md", "x\n\n \xCC\x81y\n");
    check_spans(d);
    rag_doc_free(d);
}

static void hostile_texts_are_read_in_time(void **state)
{
    static const char *const pieces[] = {"[",      "*a_ ",  "`",    "<",
                                         "> ",     "![a](", "| a ", "&a",
                                         "[a](<b", "<!--",  "- ",   "**x *y "};
    rag_buf b;

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        rag_error err;
        read_docs d;

        rag_buf_init(&b, (size_t)4 << 20);
        for (int k = 0; k < 100000; k++)
            rag_buf_addz(&b, pieces[i]);
        OK(read_bytes(&d, "a.md", b.ptr, b.len, &err), &err);
        check_spans(d.doc[0]);
        read_free(&d);
        rag_buf_dispose(&b);
    }
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    CHECK_OOM(read_and_drop("a.md",
                            "---\ntitle: a\ntags:\n- b\n---\n# H\n\ntext\n\n"
                            "- a\n\n| a |\n|---|\n| 1 |\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headings_have_words_and_whole_lines),
        cmocka_unit_test(lists_and_quotes_are_blocks),
        cmocka_unit_test(code_is_one_block),
        cmocka_unit_test(tables_have_heads),
        cmocka_unit_test(front_matter_is_meta),
        cmocka_unit_test(html_counts_when_it_has_words),
        cmocka_unit_test(nfd_and_crlf_stay),
        cmocka_unit_test(hostile_texts_are_read_in_time),
        cmocka_unit_test(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

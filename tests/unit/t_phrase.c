#include "test.h"

#include "base/phrase.h"

struct phrase_case {
    const char *text;
    const char *phrase;
    const char *want; /* the span's text, or NULL */
};

#define NFD_HANGUL                                                             \
    "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xB3\xE1\x86\xAF"

static const struct phrase_case cases[] = {
    {"the quick brown fox", "quick brown", "quick brown"},
    {"the quick brown fox", "brown quick", NULL},
    {"the quick brown fox", "the quick brown fox", "the quick brown fox"},
    {"The Quick\n\t Brown fox", "quick brown", "Quick\n\t Brown"},
    {"quick brown", "  quick   brown ", "quick brown"},
    {"quickbrown", "quick brown", NULL},
    {"quick brown", "quickbrown", NULL},
    {"", "a", NULL},
    {"a", "", NULL},
    {"a", " \n", NULL},
    {"start of art of", "art of", "art of"},
    {"concatenate", "cat", NULL},
    {"install packages", "install package", NULL},
    {"use foo_bar here", "foo", "foo"},
    {"use foo_bar here", "foo_bar", "foo_bar"},
    {"error 502.", "502", "502"},
    {"error 5022", "502", NULL},
    {"say \"hello, world\"!", "hello, world", "hello, world"},
    {"hello world", "hello, world", NULL},
    {"don\xE2\x80\x99t panic", "don't panic", "don\xE2\x80\x99t panic"},
    {"caf\xC3\xA9 au lait", "cafe au", "caf\xC3\xA9 au"},
    {"cafe\xCC\x81 au lait", "caf\xC3\xA9", "cafe\xCC\x81"},
    {"ＡＰＩ　키", "api 키", "ＡＰＩ　키"},
    {"end\f\nof page", "end of page", "end\f\nof page"},
    /* hyphens at line ends */
    {"the docu-\n  mentation is", "documentation is", "docu-\n  mentation is"},
    {"a well-\nknown fact", "well-known fact", "well-\nknown fact"},
    {"a well-known fact", "well-known", "well-known"},
    {"a well- known fact", "wellknown", NULL},
    {"soft\xC2\xADhyphen", "softhyphen", "soft\xC2\xADhyphen"},
    /* Hangul: particles may follow, spaces do not matter */
    {"배터리를 교체", "배터리", "배터리"},
    {"데이터베이스를 만든다", "데이터 베이스", "데이터베이스"},
    {"데이터 베이스를 만든다", "데이터베이스", "데이터 베이스"},
    {"데이터\n베이스", "데이터베이스", "데이터\n베이스"},
    {"강", "가", NULL},
    {"간장", "가", NULL},
    {"가나", "간", NULL},
    {NFD_HANGUL " 검색", "한글 검색", NFD_HANGUL " 검색"},
    {"한글 검색", NFD_HANGUL, "한글"},
    {NFD_HANGUL, "하", NULL},
    {"FastAPI를 쓴다", "FastAPI를 쓴다", "FastAPI를 쓴다"},
    {"FastAPI 를 쓴다", "FastAPI를", NULL},
    {"東京 都", "東京都", "東京 都"},
    {"ガラス", "カ", NULL},
    {"カ\xE3\x82\x99ラス", "ガラス", "カ\xE3\x82\x99ラス"},
    /* invalid bytes equal only themselves as U+FFFD */
    {"a\xFF"
     "b",
     "a b", NULL},
    {"x \xFF quick brown", "quick brown", "quick brown"},
};

static void t_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct phrase_case *c = &cases[i];
        rag_phrase_span span;
        rag_error err;

        OK(rag_phrase_find(&span, rag_str_of(c->text), rag_str_of(c->phrase),
                           &err),
           &err);
        if (span.found != (c->want != NULL))
            fail_msg("'%s' in '%s': %s", c->phrase, c->text,
                     span.found ? "found" : "not found");
        if (c->want != NULL &&
            !rag_str_eqz(rag_str_n(c->text + span.start, span.end - span.start),
                         c->want))
            fail_msg("'%s' in '%s': '%.*s'", c->phrase, c->text,
                     (int)(span.end - span.start), c->text + span.start);
    }
}

static void t_first_place(void **state)
{
    rag_phrase_span span;
    rag_error err;

    (void)state;
    OK(rag_phrase_find(&span, RAG_STR_LIT("ab b b"), RAG_STR_LIT("b"), &err),
       &err);
    assert_true(span.found);
    assert_int_equal(span.start, 3);
    assert_int_equal(span.end, 4);
}

static void t_limit(void **state)
{
    char phrase[RAG_PHRASE_MAX_CHARS + 2];
    rag_phrase_span span;
    rag_error err;

    (void)state;
    memset(phrase, 'x', sizeof phrase);
    assert_int_equal(rag_phrase_find(&span, RAG_STR_LIT("x"),
                                     rag_str_n(phrase, sizeof phrase - 1),
                                     &err),
                     RAG_E_LIMIT);
    OK(rag_phrase_find(&span, rag_str_n(phrase, RAG_PHRASE_MAX_CHARS),
                       rag_str_n(phrase, RAG_PHRASE_MAX_CHARS), &err),
       &err);
    assert_true(span.found);
}

static rag_status find_one(void)
{
    rag_phrase_span span;

    return rag_phrase_find(&span, RAG_STR_LIT("some words of a text"),
                           RAG_STR_LIT("a text"), NULL);
}

static void t_oom(void **state)
{
    (void)state;
    CHECK_OOM(find_one());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_cases),
        cmocka_unit_test(t_first_place),
        cmocka_unit_test(t_limit),
        cmocka_unit_test(t_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

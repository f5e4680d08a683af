#include "test.h"

#include "base/buf.h"
#include "base/words.h"

/* ---- forms ----------------------------------------------------------------
 */

/* Forms with a blank between them; '+' before a part. */
static rag_status show(void *ctx, const rag_word *w, rag_error *err)
{
    rag_buf *b = ctx;

    (void)err;
    if (b->len != 0)
        rag_buf_addc(b, ' ');
    if (w->kind == RAG_WORD_PART)
        rag_buf_addc(b, '+');
    rag_buf_adds(b, w->form);
    return RAG_OK;
}

static void check_text(rag_words *w, rag_str text, const char *want)
{
    rag_error err;
    rag_buf b;

    rag_buf_init(&b, 1 << 20);
    OK(rag_words_each(w, text, show, &b, &err), &err);
    if (strcmp(b.ptr, want) != 0)
        fail_msg("'%.*s': '%s', want '%s'", (int)text.len, text.ptr, b.ptr,
                 want);
    rag_buf_dispose(&b);
}

struct form_case {
    const char *text;
    const char *want;
};

static const struct form_case form_cases[] = {
    /* plain words, case, stems */
    {"", ""},
    {" \t\r\n", ""},
    {"Hello, world!", "hello world"},
    {"HELLO hello Hello", "hello hello hello"},
    {"running runs ran", "run run ran"},
    {"installation installed installing", "instal instal instal"},
    {"a I x", "a i x"},
    {"end.", "end"},
    {"(word) [word] \"word\"", "word word word"},
    {"one,two;three:four/five", "one two three four five"},
    {"one, two. three", "one two three"},
    {"don't dog's dogs'", "don't dog dog"},
    {"don\xE2\x80\x99t", "don't"},
    {"'quoted'", "quot"},
    {"O'Brien's", "o'brien"},
    /* hyphens */
    {"e-mail email", "email +e +mail email"},
    {"well-known", "wellknown +well +known"},
    {"state-of-the-art", "stateoftheart +state +of +the +art"},
    {"COVID-19", "covid19 +covid +19"},
    {"COVID19", "covid19 +covid +19"},
    {"IL-6 IL6", "il6 +il +6 il6 +il +6"},
    {"non\xE2\x80\x91"
     "breaking",
     "nonbreak +non +break"},
    {"docu-\nmentation", "document +docu +mentat"},
    {"docu-\r\n  mentation", "document +docu +mentat"},
    {"docu-\f\nmentation", "document +docu +mentat"},
    {"docu- mentation", "docu mentat"},
    {"docu-\nMentation", "docu mentat"},
    {"3-\nfold", "3 fold"},
    {"soft\xC2\xADhyphen", "softhyphen"},
    {"--some-option", "someopt +some +option"},
    {"-x - --", "x"},
    {"a - b", "a b"},
    {"well--known", "well known"},
    /* numbers */
    {"1000 1,000 1,000,000", "1000 1000 1000000"},
    {"1,00 1,0000", "1 00 1 0000"},
    {"3.14", "3.14"},
    {"1,234.56", "1234.56"},
    {"3.11.4", "3.11.4 +3.11"},
    {"192.168.0.1", "192.168.0.1 +192.168"},
    {"12:30", "12 30"},
    {"2024-01-15", "20240115 +2024 +01 +15"},
    {"10mg", "10mg +10 +mg"},
    {"5%", "5"},
    {"$9.99", "9.99"},
    /* codes */
    {"ERR_NGX_502", "err_ngx_502 +err +ngx +502"},
    {"foo.bar_baz", "foo.bar_baz +foo +bar +baz"},
    {"foo_bar", "foo_bar +foo +bar"},
    {"__init__", "__init__ +init"},
    {"v2.0", "v2.0 +v +2.0"},
    {"utf8", "utf8 +utf +8"},
    {"np.float32", "np.float32 +np +float32 +float +32"},
    {"ubuntu-22.04", "ubuntu22.04 +ubuntu +22.04"},
    {"C++ C# F#", "c++ +c c# +c f# +f"},
    {"C++17 c#", "c 17 c# +c"},
    {"a+b", "a b"},
    {"R&D AT&T", "r&d +r +d at&t +at +t"},
    {"jane.doe@example.com", "jane.doe@example.com +jane +doe +exampl +com"},
    {"/usr/local/bin", "usr local bin"},
    {"/etc/nginx/nginx.conf", "etc nginx nginx.conf +nginx +conf"},
    {".gitignore", ".gitignore +gitignor"},
    {"std::vector", "std vector"},
    {"$HOME", "home"},
    {"key=value", "key valu"},
    {"wait...what", "wait what"},
    {"____", ""},
    {"#42", "42"},
    /* case changes */
    {"camelCase", "camelcas +camel +case"},
    {"HTTPServer", "httpserver +http +server"},
    {"getHTTPResponseCode", "gethttpresponsecod +get +http +respons +code"},
    {"iPhone", "iphon +i +phone"},
    {"GPUs", "gpu"},
    {"FastAPI", "fastapi +fast +api"},
    {"APIRouter.get", "apirouter.get +apirout +api +router +get"},
    /* Hangul */
    {"데이터베이스", "데이 이터 터베 베이 이스"},
    {"값", "값"},
    {"배터리를 교체하려면", "배터 터리 리를 교체 체하 하려 려면"},
    {"서울-부산", "서울 부산"},
    {"FastAPI를", "fastapi +fast +api 를"},
    {"2024년 3월", "2024 년 3 월"},
    {"제3조", "제 3 조"},
    {"GPT-4는", "gpt4 +gpt +4 는"},
    {"ERR_502오류", "err_502 +err +502 오류"},
    {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xB3\xE1\x86\xAF",
     "한글"},                           /* NFD */
    {"\xE3\x84\xB1\xE3\x85\x8F", "가"}, /* compatibility jamo */
    {"ㅋㅋㅋ", "\xE1\x84\x8F\xE1\x84\x8F \xE1\x84\x8F\xE1\x84\x8F"},
    {"㈜한국", "주 한국"},
    /* Han and Kana */
    {"東京都", "東京 京都"},
    {"食べ物", "食べ べ物"},
    {"カタカナ", "カタ タカ カナ"},
    {"ｶﾞ", "ガ"},
    {"か\xE3\x82\x99き", "がき"}, /* NFD */
    {"は\xE3\x82\x9A", "ぱ"},
    {"ウ\xE3\x82\x99", "ヴ"},
    {"漢字한글", "漢字 한글"},
    {"中", "中"},
    /* folding */
    {"ＡＢＣ１２３", "abc123 +abc +123"},
    {"ｆｏｏ．ｂａｒ", "foo.bar +foo +bar"},
    {"caf\xC3\xA9 cafe\xCC\x81 cafe", "cafe cafe cafe"},
    {"\xC3\x89"
     "cole",
     "ecol"},
    {"stra\xC3\x9F"
     "e",
     "strass"},
    {"\xEF\xAC\x81le", "file"}, /* fi ligature */
    {"Привет МИР", "привет мир"},
    {"\xCE\x91\xCE\xB8\xCE\xAE\xCE\xBD\xCE\xB1", "αθηνα"},
    {"①", "1"},
    {"Foo™", "foo"},
    {"zero\xE2\x80\x8Bwidth", "zero width"},
    {"naïve—approach", "naiv approach"},
    /* no text at all */
    {"\xF0\x9F\x98\x80 ok", "ok"},
    {"bad\xFFword", "bad word"},
    {"\xED\xA0\x80x", "x"},
    {"cut\xEA\xB0", "cut"},
};

static void t_forms(void **state)
{
    rag_words *w = rag_words_new();

    (void)state;
    assert_non_null(w);
    for (size_t i = 0; i < sizeof form_cases / sizeof form_cases[0]; i++)
        check_text(w, rag_str_of(form_cases[i].text), form_cases[i].want);
    rag_words_free(w);
}

static void t_nul_bytes(void **state)
{
    rag_words *w = rag_words_new();

    (void)state;
    check_text(w, RAG_STR_LIT("one\0two"), "one two");
    rag_words_free(w);
}

/* ---- spans and positions --------------------------------------------------
 */

struct seen {
    rag_word words[64];
    size_t n;
};

static rag_status keep(void *ctx, const rag_word *w, rag_error *err)
{
    struct seen *s = ctx;

    (void)err;
    assert_true(s->n < 64);
    s->words[s->n++] = *w;
    return RAG_OK;
}

static void see(struct seen *s, const char *text)
{
    rag_words *w = rag_words_new();
    rag_error err;

    s->n = 0;
    OK(rag_words_each(w, rag_str_of(text), keep, s, &err), &err);
    rag_words_free(w);
}

static void check_span(const struct seen *s, const char *text, size_t i,
                       const char *want)
{
    const rag_word *w = &s->words[i];

    assert_true(i < s->n);
    if (w->end - w->start != strlen(want) ||
        memcmp(text + w->start, want, strlen(want)) != 0)
        fail_msg("word %zu of '%s': span '%.*s', want '%s'", i, text,
                 (int)(w->end - w->start), text + w->start, want);
}

static void t_spans(void **state)
{
    const char *text = "  The 1,000 GPUs of ERR_502; docu-\n mented 가나다.";
    const char *nfd = "x \xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80"
                      "\xE1\x85\xB3\xE1\x86\xAF y";
    const char *wide = "ＡＢ cafe\xCC\x81! \xEF\xAC\x81x";
    struct seen s;

    (void)state;
    see(&s, text);
    check_span(&s, text, 0, "The");
    check_span(&s, text, 1, "1,000");
    check_span(&s, text, 2, "GPU");
    check_span(&s, text, 3, "of");
    check_span(&s, text, 4, "ERR_502");
    check_span(&s, text, 5, "ERR");
    check_span(&s, text, 6, "502");
    check_span(&s, text, 7, "docu-\n mented");
    check_span(&s, text, 8, "docu");
    check_span(&s, text, 9, "mented");
    check_span(&s, text, 10, "가나");
    check_span(&s, text, 11, "나다");
    assert_int_equal(s.n, 12);
    see(&s, nfd);
    check_span(&s, nfd, 1,
               "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xB3"
               "\xE1\x86\xAF");
    see(&s, wide);
    check_span(&s, wide, 0, "ＡＢ");
    check_span(&s, wide, 1, "cafe\xCC\x81");
    check_span(&s, wide, 2, "\xEF\xAC\x81x");
}

static void t_positions(void **state)
{
    struct seen s;

    (void)state;
    see(&s, "get foo_bar 가나다 7");
    assert_int_equal(s.n, 7);
    assert_int_equal(s.words[0].position, 1);
    assert_int_equal(s.words[1].position, 2);
    assert_int_equal(s.words[2].position, 2); /* parts stand with the code */
    assert_int_equal(s.words[3].position, 2);
    assert_int_equal(s.words[4].position, 3);
    assert_int_equal(s.words[5].position, 4);
    assert_int_equal(s.words[6].position, 5);
    assert_int_equal(s.words[0].kind, RAG_WORD_LATIN);
    assert_int_equal(s.words[1].kind, RAG_WORD_CODE);
    assert_int_equal(s.words[2].kind, RAG_WORD_PART);
    assert_int_equal(s.words[4].kind, RAG_WORD_GRAM);
    assert_int_equal(s.words[6].kind, RAG_WORD_NUMBER);
}

/* ---- equal keys -----------------------------------------------------------
 */

static void check_same_keys(const char *a, const char *b)
{
    struct seen x;
    struct seen y;

    see(&x, a);
    see(&y, b);
    assert_int_equal(x.n, y.n);
    assert_true(x.n > 0);
    for (size_t i = 0; i < x.n; i++) {
        assert_true(x.words[i].key == y.words[i].key);
        assert_true(x.words[i].key != 0);
    }
}

static void t_same_keys(void **state)
{
    (void)state;
    check_same_keys("한글 검색",
                    "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80"
                    "\xE1\x85\xB3\xE1\x86\xAF \xE1\x84\x80\xE1\x85"
                    "\xA5\xE1\x86\xB7\xE1\x84\x89\xE1\x85\xA2\xE1"
                    "\x86\xA8");
    check_same_keys("résumé", "re\xCC\x81sume\xCC\x81");
    check_same_keys("ガギグ", "カ\xE3\x82\x99キ\xE3\x82\x99ク\xE3\x82\x99");
    check_same_keys("Installing", "installed");
    check_same_keys("e-mail", "E-Mail");
    check_same_keys("1,000", "1000");
    check_same_keys("ＩＤ", "id");
    /* the short way for plain words and the long way agree */
    check_same_keys("connections", "connections\xCC\x81");
    check_same_keys("Word", "wo\xC2\xADrd");
}

/* Words longer than any word are cut, never lost, never endless. */
static void t_long(void **state)
{
    rag_words *w = rag_words_new();
    rag_error err;
    rag_buf text;
    rag_buf out;

    (void)state;
    rag_buf_init(&text, 1 << 22);
    rag_buf_init(&out, 1 << 22);
    for (size_t i = 0; i < 100000; i++)
        rag_buf_addz(&text, i % 7 == 0 ? "Z9" : "qx_");
    OK(rag_words_each(w, rag_buf_str(&text), show, &out, &err), &err);
    assert_true(out.len > text.len / 2);
    rag_buf_dispose(&out);
    rag_buf_dispose(&text);
    rag_words_free(w);
}

static rag_status refuse(void *ctx, const rag_word *w, rag_error *err)
{
    (void)ctx;
    (void)w;
    return rag_fail(err, RAG_E_CANCELLED, "enough");
}

static void t_callback_fails(void **state)
{
    rag_words *w = rag_words_new();
    rag_error err;

    (void)state;
    assert_int_equal(rag_words_each(w, RAG_STR_LIT("한글"), refuse, NULL, &err),
                     RAG_E_CANCELLED);
    assert_int_equal(rag_words_each(w, RAG_STR_LIT("a_b"), refuse, NULL, &err),
                     RAG_E_CANCELLED);
    rag_words_free(w);
}

/* ---- stop words -----------------------------------------------------------
 */

static rag_status count_topic(void *ctx, const rag_word *w, rag_error *err)
{
    (void)err;
    *(size_t *)ctx += !rag_words_is_stop(w->form);
    return RAG_OK;
}

static size_t n_topic(const char *text)
{
    rag_words *w = rag_words_new();
    rag_error err;
    size_t n = 0;

    OK(rag_words_each(w, rag_str_of(text), count_topic, &n, &err), &err);
    rag_words_free(w);
    return n;
}

static void t_stops(void **state)
{
    (void)state;
    assert_int_equal(
        n_topic("a an the and or of to in on at for from by with as is are was "
                "were be been being am do does did doing done have has had "
                "having can could should would might must shall will what "
                "which who whom whose when where why how that this these those "
                "it its they them their there here he she his her him we our "
                "you your i me my if then than so no not about into some any "
                "many much please tell it's what's who's how's that's there's "
                "don't doesn't didn't can't isn't aren't wasn't won't"),
        0);
    assert_int_equal(
        n_topic("무엇 어디 어디서 언제 누구 누가 왜 어떻게 어느 어떤 무슨 몇 "
                "얼마 은 는 이 가 을 를 의 에 에서 에게 으로 로 와 과 도 만"),
        0);
    assert_int_equal(n_topic("explain show add commit May"), 5);
    assert_int_equal(n_topic("대한 이란 방법 구인"), 4);
    /* "하나" and "가요" are endings far more often than words */
    assert_int_equal(n_topic("하나 가요"), 0);
    assert_false(rag_words_is_stop(RAG_STR_LIT("")));
    assert_false(rag_words_is_stop(RAG_STR_LIT("zzz")));
    assert_false(rag_words_is_stop(RAG_STR_LIT("힣")));
    assert_true(strncmp(rag_words_version(), "words/", 6) == 0);
}

static void t_weights(void **state)
{
    rag_word w;

    (void)state;
    w = (rag_word){.kind = RAG_WORD_GRAM, .form = RAG_STR_LIT("리를")};
    assert_true(rag_words_weight(&w) == 0.5F);
    w.form = RAG_STR_LIT("터리");
    assert_true(rag_words_weight(&w) == 1);
    w.form = RAG_STR_LIT("어떻");
    assert_true(rag_words_weight(&w) == 0);
    w.form = RAG_STR_LIT("를");
    assert_true(rag_words_weight(&w) == 0);
    w = (rag_word){.kind = RAG_WORD_LATIN, .form = RAG_STR_LIT("whi")};
    assert_true(rag_words_weight(&w) == 0);
}

static rag_status ignore(void *ctx, const rag_word *w, rag_error *err)
{
    (void)ctx;
    (void)w;
    (void)err;
    return RAG_OK;
}

static rag_status whole_life(void)
{
    rag_words *w = rag_words_new();
    rag_error err;
    rag_status st;

    if (w == NULL)
        return RAG_E_NOMEM;
    st = rag_words_each(w, RAG_STR_LIT("Some wörds, 한글 and ERR_1"), ignore,
                        NULL, &err);
    rag_words_free(w);
    return st;
}

static void t_oom(void **state)
{
    (void)state;
    CHECK_OOM(whole_life());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_forms),          cmocka_unit_test(t_nul_bytes),
        cmocka_unit_test(t_spans),          cmocka_unit_test(t_positions),
        cmocka_unit_test(t_same_keys),      cmocka_unit_test(t_long),
        cmocka_unit_test(t_callback_fails), cmocka_unit_test(t_stops),
        cmocka_unit_test(t_weights),        cmocka_unit_test(t_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

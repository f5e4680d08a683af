/* Every kind of tokenizer against its reference: the ids of 22,000 texts and of
 * all code points (tests/nn/make_tokenizers.py), through tokenizer.json, the
 * builder and the block of bytes of the model file. */
#include "test.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/utf8.h"
#include "nn/spmodel.h"
#include "nn/tokens_blob.h"
#include "nn/tokjson.h"

enum { LINES = 20000, TEXTS = LINES + LINES / 10, PAGES = 0x1100 };

static rag_buf all_lines;
static rag_str lines[LINES];

typedef struct tokenizer {
    rag_arena arena;
    rag_source_tokens source;
    rag_buf blob;
    rag_tokens_model model;
    rag_tokens tokens;
} tokenizer;

static char *path_of(const char *dir, const char *name, const char *ending)
{
    static char path[512];
    int n = snprintf(path, sizeof path, "%s/%s%s", dir, name, ending);

    assert_true(n > 0 && (size_t)n < sizeof path);
    return path;
}

static void read_file(rag_buf *out, const char *dir, const char *name,
                      const char *ending)
{
    rag_error err;

    rag_buf_init(out, (size_t)1 << 28);
    OK(rag_file_read(out, path_of(dir, name, ending), (size_t)1 << 28, &err),
       &err);
}

static void build(tokenizer *t)
{
    rag_error err;

    rag_buf_init(&t->blob, (size_t)1 << 30);
    OK(rag_tokens_build(&t->blob, &t->source, &err), &err);
    OK(rag_tokens_model_open(&t->model, rag_buf_str(&t->blob), &err), &err);
    rag_tokens_init(&t->tokens, &t->model);
}

static void read_json(tokenizer *t, const char *dir, const char *name)
{
    rag_buf text;
    rag_error err;

    read_file(&text, dir, name, ".json");
    rag_arena_init(&t->arena);
    OK(rag_tokjson_read(&t->source, &t->arena, rag_buf_str(&text), &err), &err);
    rag_buf_dispose(&text);
}

static void dispose(tokenizer *t)
{
    rag_tokens_dispose(&t->tokens);
    rag_buf_dispose(&t->blob);
    rag_arena_dispose(&t->arena);
}

static uint32_t fnv1a(uint32_t h, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < 32; k += 8)
            h = (h ^ ((uint32_t)ids[i] >> k & 0xFF)) * 0x01000193u;
    }
    return h;
}

static uint32_t le32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

/* The texts as join() of the script makes them. */
static rag_str text_at(rag_buf *room, size_t i)
{
    static const char *const glue[] = {
        "\n", "\n\n",  "\r\n",     " \n",          "\t",
        "  ", "\n   ", " \r\n\n ", "\xE3\x80\x80", " \xC2\xA0"};
    size_t k = i - LINES;

    if (i < LINES)
        return lines[i];
    rag_buf_clear(room);
    for (size_t j = 0; j < 10; j++) {
        if (j != 0)
            rag_buf_addz(room, glue[(k + j) % 10]);
        rag_buf_adds(room, lines[10 * k + j]);
    }
    return rag_buf_str(room);
}

static void show(const tokenizer *t, size_t i, rag_str text)
{
    rag_buf out;

    rag_buf_init(&out, (size_t)1 << 24);
    rag_utf8_show(&out, text, false);
    print_message("text %zu: %s\n   ", i, out.ptr);
    for (size_t k = 0; k < t->tokens.n_ids && k < 100; k++)
        print_message(" %d", t->tokens.ids[k]);
    print_message("\n");
    rag_buf_dispose(&out);
}

static void check_texts(tokenizer *t, const char *dir, const char *name)
{
    rag_buf ids;
    rag_buf room;
    rag_error err;
    size_t wrong = 0;

    read_file(&ids, dir, name, ".ids");
    assert_int_equal(ids.len, TEXTS * 4);
    rag_buf_init(&room, (size_t)1 << 24);
    for (size_t i = 0; i < TEXTS; i++) {
        rag_str text = text_at(&room, i);

        OK(rag_tokens_encode(&t->tokens, text, &err), &err);
        if (fnv1a(0x811C9DC5u, t->tokens.ids, t->tokens.n_ids) ==
            le32(ids.ptr + 4 * i))
            continue;
        if (wrong++ < 5)
            show(t, i, text);
    }
    rag_buf_dispose(&room);
    rag_buf_dispose(&ids);
    if (wrong != 0)
        fail_msg("%s: %zu of %d texts have other ids", name, wrong, TEXTS);
}

/* Planes with characters, and the edges of the others. */
static bool is_checked(uint32_t page)
{
    return page < 0x324 || (page & 0xFF) < 2 || (page & 0xFF) == 0xFF;
}

/* The text around a code point, as around() of the script. */
static rag_str around(char room[64], uint32_t cp, bool cased)
{
    const char *form = cased ? "A%B%1 %Ab%%C\n/%'S%" : "a%1 %%b\n%'s %";
    size_t n = 0;

    for (; *form != '\0'; form++) {
        if (*form == '%')
            n += rag_utf8_encode(room + n, cp);
        else
            room[n++] = *form;
    }
    return rag_str_n(room, n);
}

static void check_code_points(tokenizer *t, const char *dir, const char *name)
{
    bool cased = strcmp(name, "o200k") == 0 || strcmp(name, "steps") == 0;
    rag_buf want;
    rag_error err;
    size_t wrong = 0;

    read_file(&want, dir, name, ".cps");
    assert_int_equal(want.len, PAGES * 4);
    for (uint32_t page = 0; page < PAGES; page++) {
        uint32_t h = 0x811C9DC5u;

        if (!is_checked(page))
            continue;
        for (uint32_t cp = page * 256; cp < page * 256 + 256; cp++) {
            char room[64];

            if (cp >= 0xD800 && cp <= 0xDFFF)
                continue;
            OK(rag_tokens_encode(&t->tokens, around(room, cp, cased), &err),
               &err);
            h = fnv1a(h, t->tokens.ids, t->tokens.n_ids);
        }
        if (h != le32(want.ptr + 4 * page) && wrong++ < 20)
            print_message("%s: code points %X to %X\n", name, page * 256,
                          page * 256 + 255);
    }
    rag_buf_dispose(&want);
    assert_int_equal(wrong, 0);
}

static void check(const char *name, bool code_points)
{
    tokenizer t;

    read_json(&t, RAG_TEST_DATA "/tok", name);
    build(&t);
    check_texts(&t, RAG_TEST_DATA "/tok", name);
    if (code_points)
        check_code_points(&t, RAG_TEST_DATA "/tok", name);
    dispose(&t);
}

#define KIND(name, code_points)                                                \
    static void test_##name(void **state)                                      \
    {                                                                          \
        (void)state;                                                           \
        check(#name, code_points);                                             \
    }

KIND(bert_uncased, true)
KIND(bert_cased, true)
KIND(bert_lower, true)
KIND(bert_sequence, true)
KIND(roberta, true)
KIND(modernbert, false)
KIND(llama3, true)
KIND(qwen2, false)
KIND(o200k, true)
KIND(steps, true)
KIND(gemma, false)
KIND(unigram, true)

/* SentencePiece's own BPE: scores in place of merges, as GGUF files have it. */
static void test_sp_bpe_scores(void **state)
{
    tokenizer t;

    (void)state;
    read_json(&t, RAG_TEST_DATA "/tok", "sp_bpe_scores");
    t.source.kind = RAG_TOKENS_SP_BPE;
    t.source.collapse_spaces = false;
    t.source.prefix_missing = false;
    build(&t);
    check_texts(&t, RAG_TEST_DATA "/tok", "sp_bpe_scores");
    dispose(&t);
}

/* Files of SentencePiece itself, numbered as transformers does. */
static void check_model(const char *name, rag_spmodel numbering,
                        bool code_points)
{
    tokenizer t;
    rag_buf file;
    rag_error err;

    read_file(&file, RAG_TEST_DATA "/tok", name, ".model");
    rag_arena_init(&t.arena);
    OK(rag_spmodel_read(&t.source, &t.arena, rag_buf_str(&file), numbering,
                        &err),
       &err);
    rag_buf_dispose(&file);
    if (numbering == RAG_SPMODEL_PLAIN)
        t.source.eos = -1; /* as Llama's settings say */
    build(&t);
    check_texts(&t, RAG_TEST_DATA "/tok", name);
    if (code_points)
        check_code_points(&t, RAG_TEST_DATA "/tok", name);
    dispose(&t);
}

static void test_sp_files(void **state)
{
    (void)state;
    check_model("xlmr", RAG_SPMODEL_XLMR, true);
    check_model("camembert", RAG_SPMODEL_CAMEMBERT, false);
    check_model("llama", RAG_SPMODEL_PLAIN, false);
}

/* Tokenizers of real models, where the caller has some. */
static void test_others(void **state)
{
    const char *dir = getenv("RAG_TEST_TOKENIZERS");
    const char *names = getenv("RAG_TEST_TOKENIZER_NAMES");
    rag_str rest = rag_str_of(names);

    (void)state;
    if (dir == NULL || names == NULL) {
        print_message("RAG_TEST_TOKENIZERS is not set: real ones skipped\n");
        skip();
    }
    while (rest.len != 0) {
        size_t n = rag_str_find_char(rest, ',');
        char name[128];
        tokenizer t;

        n = n < rest.len ? n : rest.len;
        (void)snprintf(name, sizeof name, "%.*s", (int)n, rest.ptr);
        read_json(&t, dir, name);
        build(&t);
        check_texts(&t, dir, name);
        check_code_points(&t, dir, name);
        dispose(&t);
        rest = rag_str_cut(rest, n + 1, rest.len);
    }
}

static int set_up(void **state)
{
    rag_str rest;

    (void)state;
    read_file(&all_lines, RAG_TEST_DATA "/nn", "lines", ".txt");
    rest = rag_buf_str(&all_lines);
    for (size_t i = 0; i < LINES; i++)
        assert_true(rag_str_next_line(&lines[i], &rest));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rag_buf_dispose(&all_lines);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert_uncased),
        cmocka_unit_test(test_bert_cased),
        cmocka_unit_test(test_bert_lower),
        cmocka_unit_test(test_bert_sequence),
        cmocka_unit_test(test_roberta),
        cmocka_unit_test(test_modernbert),
        cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_o200k),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_gemma),
        cmocka_unit_test(test_sp_files),
        cmocka_unit_test(test_sp_bpe_scores),
        cmocka_unit_test(test_unigram),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* What tokenizer.json and vocab.txt may hold, what is refused and how; damaged
 * blocks of bytes; no memory; long and hostile texts. */
#include "tok_ids.h"

#include "base/arena.h"
#include "base/file.h"
#include "nn/tokens_format.h"
#include "nn/tokjson.h"

/* ---- small files ------------------------------------------------------- */

#define BERT_HEAD                                                              \
    "{\"added_tokens\":[{\"id\":2,\"content\":\"[CLS]\",\"special\":true},"    \
    "{\"id\":3,\"content\":\"[SEP]\",\"special\":true},"                       \
    "{\"id\":0,\"content\":\"[PAD]\",\"special\":true}"
#define BERT_MODEL                                                             \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","               \
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"   \
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,"      \
    "\"##b\":5,\"ab\":6,\"e\":7,\"!\":8,\"\xEA\xB0\x80\":9,\"x\":10}}}"
#define BERT_STEPS                                                             \
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true},"         \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"                       \
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],"   \
    "\"cls\":[\"[CLS]\",2]},"
#define BERT BERT_HEAD "]," BERT_STEPS BERT_MODEL

#define SP_MODEL(more)                                                         \
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,"   \
    "\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"ab\":3,\"\xE2\x96\x81\":4,"      \
    "\"\xE2\x96\x81"                                                           \
    "ab\":5},\"merges\":[\"a b\",[\"\xE2\x96\x81\",\"ab\"]]" more "}}"

static rag_status read_text(rag_source_tokens *out, rag_arena *a,
                            const char *json, rag_error *err)
{
    rag_arena_init(a);
    return rag_tokjson_read(out, a, rag_str_of(json), err);
}

static void expect(const char *json, rag_str text, const int32_t *want)
{
    rag_source_tokens s;
    rag_arena a;
    rag_error err;

    OK(read_text(&s, &a, json, &err), &err);
    expect_model(&s, text, want);
    rag_arena_dispose(&a);
}

static void test_wordpiece(void **state)
{
    (void)state;
    expect(BERT, RAG_STR_LIT(""), IDS(2, 3));
    expect(BERT, RAG_STR_LIT("ab AB \xC3\xA9!"), IDS(2, 6, 6, 7, 8, 3));
    expect(BERT, RAG_STR_LIT("abb abc"), IDS(2, 6, 5, 1, 3));
    expect(BERT, RAG_STR_LIT("[CLS]"), IDS(2, 1, 1, 1, 3)); /* plain text */
    expect(BERT, RAG_STR_LIT("a\xFF!"), IDS(2, 4, 8, 3));
    /* an added token is cut out as it is written, and only then */
    expect(BERT_HEAD ",{\"id\":10,\"content\":\"x\"},"
                     "{\"id\":12,\"content\":\"a-b\"}]," BERT_STEPS BERT_MODEL,
           RAG_STR_LIT("axa-bX"), IDS(2, 4, 10, 12, 10, 3));
}

#define WORDS_HEAD                                                             \
    BERT_HEAD                                                                  \
    "],\"normalizer\":{\"type\":\"Lowercase\"},\"post_processor\":"            \
    "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],"                      \
    "\"cls\":[\"[CLS]\",2]},\"pre_tokenizer\":{\"type\":\"Sequence\","         \
    "\"pretokenizers\":["
#define WORDS_MODEL                                                            \
    "]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","            \
    "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"[PAD]\":0,"             \
    "\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"a!\":5,\"!\":6,\"1\":7,"    \
    "\"##1\":8,\"a1\":9}}}"
#define WHITE "{\"type\":\"WhitespaceSplit\"}"

/* Words cut by other steps than BertPreTokenizer. */
static void test_words(void **state)
{
    (void)state;
    expect(WORDS_HEAD WHITE WORDS_MODEL, RAG_STR_LIT("A! a1 11"),
           IDS(2, 5, 9, 7, 8, 3));
    expect(WORDS_HEAD WHITE ",{\"type\":\"Punctuation\",\"behavior\":"
                            "\"Isolated\"}" WORDS_MODEL,
           RAG_STR_LIT("A! a1 11"), IDS(2, 4, 6, 9, 7, 8, 3));
    expect(
        WORDS_HEAD
        "{\"type\":\"Digits\",\"individual_digits\":true}," WHITE WORDS_MODEL,
        RAG_STR_LIT("A! a1 11"), IDS(2, 5, 4, 7, 7, 7, 3));
}

static void test_vocab(void **state)
{
    static const char text[] =
        "[PAD]\r\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##B\nA";
    rag_source_tokens s;
    rag_arena a;
    rag_error err;

    (void)state;
    rag_arena_init(&a);
    OK(rag_tokjson_read_vocab(&s, &a, rag_str_of(text), false, false, &err),
       &err);
    expect_model(&s, RAG_STR_LIT("aB A"), IDS(2, 5, 6, 7, 3));
    OK(rag_tokjson_read_vocab(&s, &a, rag_str_of(text), true, true, &err),
       &err);
    expect_model(&s, RAG_STR_LIT("aB A"), IDS(2, 1, 5, 3));
    assert_int_equal(
        rag_tokjson_read_vocab(&s, &a, RAG_STR_LIT("a\nb\n"), true, true, &err),
        RAG_E_FORMAT);
    assert_int_equal(
        rag_tokjson_read_vocab(&s, &a, RAG_STR_LIT(""), true, true, &err),
        RAG_E_FORMAT);
    rag_arena_dispose(&a);
}

static void test_sp_bpe(void **state)
{
    static const char gemma[] =
        "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
        "\"content\":\"\xE2\x96\x81\"}," SP_MODEL("");
    static const char llama[] =
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
        "{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"},"
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
        "\"content\":\"\xE2\x96\x81\"}]}," SP_MODEL("");
    static const char first[] =
        "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
        "\"\xE2\x96\x81\",\"prepend_scheme\":\"first\",\"split\":false},"
        "\"added_tokens\":[{\"id\":6,\"content\":\"@\"}]," SP_MODEL("");

    (void)state;
    expect(gemma, RAG_STR_LIT("ab ab"), IDS(3, 5));
    expect(gemma, RAG_STR_LIT("xyab"), IDS(0, 3)); /* unknown ones fuse */
    expect(llama, RAG_STR_LIT("ab ab"), IDS(5, 5));
    expect(llama, RAG_STR_LIT(" ab"), IDS(4, 5));
    expect(first, RAG_STR_LIT("ab@ab"), IDS(5, 6, 3));
    expect(first, RAG_STR_LIT(" ab@@"), IDS(5, 6, 6));
}

/* ---- what is refused --------------------------------------------------- */

static void refuse(const char *json, rag_status code, const char *says)
{
    rag_source_tokens s;
    rag_arena a;
    rag_error err;
    rag_status st = read_text(&s, &a, json, &err);

    if (st == RAG_OK) {
        rag_buf blob;

        rag_buf_init(&blob, (size_t)1 << 26);
        st = rag_tokens_build(&blob, &s, &err);
        rag_buf_dispose(&blob);
    }
    if (st != code || strstr(err.msg, says) == NULL)
        fail_msg("%s, not \"%s\": %s", rag_status_name(st), says, json);
    rag_arena_dispose(&a);
}

#define BPE_HEAD                                                               \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]"

static void test_refused(void **state)
{
    static const rag_status no = RAG_E_UNSUPPORTED;
    static const rag_status bad = RAG_E_FORMAT;

    (void)state;
    refuse("[", bad, "tokenizer.json");
    refuse("{}", no, "model of the type");
    refuse("{\"model\":{\"type\":\"WordLevel\"}}", no, "WordLevel");
    refuse("{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", bad, "no pieces");
    refuse("{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", bad,
           "no list");
    refuse("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", bad,
           "entry 0");
    refuse("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]],"
           "\"unk_id\":1}}",
           bad, "unk_id");
    refuse("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e99]],"
           "\"unk_id\":0},\"pre_tokenizer\":{\"type\":\"Metaspace\","
           "\"replacement\":\"\xE2\x96\x81\"}}",
           bad, "no score");
    refuse("{\"added_tokens\":[{\"id\":1e7,\"content\":\"x\"}],"
           "\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}",
           RAG_E_LIMIT, "pieces");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},"
           "\"merges\":[]}}",
           bad, "two pieces");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}", bad, "no id");
    refuse(BPE_HEAD ",\"dropout\":0.1}}", no, "dropout");
    refuse(BPE_HEAD ",\"end_of_word_suffix\":\"</w>\"}}", no, "</w>");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},"
           "\"merges\":[\"a a\"]}}",
           bad, "merge 0");
    refuse(BPE_HEAD ",\"fuse_unk\":true},\"pre_tokenizer\":null}", no,
           "U+2581");
    refuse(BPE_HEAD "},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}", no,
           "byte 0x00");
    refuse(BPE_HEAD "},\"pre_tokenizer\":{\"type\":\"Sequence\","
                    "\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
                    "{\"type\":\"Digits\"}]}}",
           no, "Digits"); /* of what ByteLevel made letters of */
    refuse(BPE_HEAD "},\"pre_tokenizer\":{\"type\":\"Sequence\","
                    "\"pretokenizers\":[{\"type\":\"Digits\"},"
                    "{\"type\":\"ByteLevel\"}]}}",
           no, "add_prefix_space");
    refuse(BPE_HEAD "},\"pre_tokenizer\":{\"type\":\"Sequence\","
                    "\"pretokenizers\":[{\"type\":\"Punctuation\",\"behavior\":"
                    "\"Contiguous\"},{\"type\":\"ByteLevel\"}]}}",
           no, "Contiguous");
    refuse(BPE_HEAD "},\"pre_tokenizer\":{\"type\":\"Sequence\","
                    "\"pretokenizers\":[{\"type\":\"Digits\"},"
                    "{\"type\":\"Digits\"},{\"type\":\"Digits\"},"
                    "{\"type\":\"Digits\"},{\"type\":\"Digits\"},"
                    "{\"type\":\"ByteLevel\"}]}}",
           RAG_E_LIMIT, "pre-tokenizers");
    refuse(BPE_HEAD "},\"pre_tokenizer\":{\"type\":\"Sequence\","
                    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":"
                    "{\"Regex\":\"x+\"},\"behavior\":\"Isolated\"},"
                    "{\"type\":\"ByteLevel\"}]}}",
           no, "x+");
    refuse(BERT_HEAD "]," BERT_MODEL, no, "BertPreTokenizer");
    refuse(BERT_HEAD "],\"normalizer\":{\"type\":\"NFKD\"}," BERT_MODEL, no,
           "NFKD");
    refuse(BERT_HEAD
           "],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
           "{\"type\":\"StripAccents\"},{\"type\":\"NFD\"}]}," BERT_MODEL,
           no, "without StripAccents, normalizer NFD");
    refuse(BERT_HEAD
           "],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
           "{\"type\":\"BertNormalizer\"},{\"type\":\"BertNormalizer\"},"
           "{\"type\":\"BertNormalizer\"}]}," BERT_MODEL,
           RAG_E_LIMIT, "normalizers");
    refuse(BERT_HEAD
           ",{\"id\":12,\"content\":\"q\",\"normalized\":true}]," BERT_STEPS
               BERT_MODEL,
           no, "token q");
    refuse(BERT_HEAD
           ",{\"id\":12,\"content\":\"q\",\"lstrip\":true}]," BERT_STEPS
               BERT_MODEL,
           no, "token q");
    refuse(BERT_HEAD ",{\"id\":4,\"content\":\"q\"}]," BERT_STEPS BERT_MODEL,
           bad, "another piece");
}

/* ---- no memory, damage ------------------------------------------------- */

static rag_buf file_of(const char *name)
{
    char path[512];
    rag_buf text;
    rag_error err;

    (void)snprintf(path, sizeof path, "%s/tok/%s.json", RAG_TEST_DATA, name);
    rag_buf_init(&text, (size_t)1 << 26);
    OK(rag_file_read(&text, path, (size_t)1 << 26, &err), &err);
    return text;
}

static rag_status from_json_to_ids(const char *json)
{
    rag_source_tokens s;
    rag_tokens_model model;
    rag_tokens t;
    rag_arena a;
    rag_buf blob;
    rag_status st;

    rag_arena_init(&a);
    rag_buf_init(&blob, (size_t)1 << 26);
    memset(&model, 0, sizeof model);
    rag_tokens_init(&t, &model);
    TRY(rag_tokjson_read(&s, &a, rag_str_of(json), NULL));
    TRY(rag_tokens_build(&blob, &s, NULL));
    TRY(rag_tokens_model_open(&model, rag_buf_str(&blob), NULL));
    rag_tokens_dispose(&t);
    rag_tokens_init(&t, &model);
    TRY(rag_tokens_encode(
        &t, RAG_STR_LIT("ab aaaabbbbababaaaabbbbababab\xFF e\xCC\x81"), NULL));
out:
    rag_tokens_dispose(&t);
    rag_buf_dispose(&blob);
    rag_arena_dispose(&a);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    CHECK_OOM(from_json_to_ids(BERT));
    CHECK_OOM(from_json_to_ids(
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
        "{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":{\"String\":"
        "\" \"},\"content\":\"\xE2\x96\x81\"}]}," SP_MODEL("")));
    CHECK_OOM(from_json_to_ids(
        "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
        "\"\xE2\x96\x81\"},\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
        "\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"ab\",-1.5]]}}"));
}

/* Cut anywhere, or with any field of the head changed, a block opens with an
 * error or is usable: no read outside of it (address sanitizer). */
static void damage(const char *name)
{
    rag_buf text = file_of(name);
    rag_source_tokens s;
    rag_tokens_model model;
    rag_tokens_head *h;
    rag_arena a;
    rag_buf blob;
    rag_error err;

    rag_arena_init(&a);
    rag_buf_init(&blob, (size_t)1 << 26);
    OK(rag_tokjson_read(&s, &a, rag_buf_str(&text), &err), &err);
    OK(rag_tokens_build(&blob, &s, &err), &err);
    h = (void *)blob.ptr;
    for (size_t n = 0; n < sizeof *h; n++)
        assert_int_equal(
            rag_tokens_model_open(&model, rag_str_n(blob.ptr, n), &err),
            RAG_E_CORRUPT);
    for (size_t p = 0; p < RAG_TOKENS_PARTS; p++) {
        size_t end = (size_t)(h->parts[p].offset + h->parts[p].n_bytes);

        if (h->parts[p].n_bytes != 0)
            assert_int_equal(rag_tokens_model_open(
                                 &model, rag_str_n(blob.ptr, end - 1), &err),
                             RAG_E_CORRUPT);
    }
    for (size_t i = 0; i < sizeof *h; i += 4) {
        static const uint32_t values[] = {0,          1,          7,
                                          0x7FFFFFFF, 0x80000000, UINT32_MAX};
        uint32_t was;

        memcpy(&was, blob.ptr + i, 4);
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            rag_tokens t;

            memcpy(blob.ptr + i, &values[k], 4);
            if (rag_tokens_model_open(&model, rag_buf_str(&blob), &err) !=
                RAG_OK)
                continue;
            rag_tokens_init(&t, &model);
            OK(rag_tokens_encode(
                   &t, RAG_STR_LIT("a \xEA\xB0\x80 1\n'll e\xCC\x81"), &err),
               &err);
            rag_tokens_dispose(&t);
        }
        memcpy(blob.ptr + i, &was, 4);
    }
    rag_buf_dispose(&blob);
    rag_buf_dispose(&text);
    rag_arena_dispose(&a);
}

static const char *const names[] = {
    "bert_uncased", "roberta", "llama3", "o200k", "steps", "gemma", "unigram"};

static void test_damaged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        damage(names[i]);
}

/* ---- long texts -------------------------------------------------------- */

/* A megabyte without spaces, of one letter, of marks: a matter of a second
 * when time is linear, of hours when it is not. */
static void test_hostile(void **state)
{
    static const char *const unit[] = {"a",
                                       " ",
                                       "etaoinshrdlu",
                                       "\xEA\xB0\x80",
                                       "\xCC\x81\xCC\x96",
                                       "\n ",
                                       "'",
                                       "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8",
                                       "|||IP",
                                       "\xF0\x9F\x91\xA8\xE2\x80\x8D",
                                       "\xFF"};
    rag_buf long_text;

    (void)state;
    rag_buf_init(&long_text, (size_t)1 << 24);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rag_buf text = file_of(names[i]);
        rag_source_tokens s;
        rag_tokens_model model;
        rag_tokens t;
        rag_arena a;
        rag_buf blob;
        rag_error err;

        rag_arena_init(&a);
        rag_buf_init(&blob, (size_t)1 << 26);
        OK(rag_tokjson_read(&s, &a, rag_buf_str(&text), &err), &err);
        OK(rag_tokens_build(&blob, &s, &err), &err);
        OK(rag_tokens_model_open(&model, rag_buf_str(&blob), &err), &err);
        rag_tokens_init(&t, &model);
        for (size_t k = 0; k < sizeof unit / sizeof unit[0]; k++) {
            rag_buf_clear(&long_text);
            while (long_text.len < 1000000)
                rag_buf_addz(&long_text, unit[k]);
            OK(rag_tokens_encode(&t, rag_buf_str(&long_text), &err), &err);
            assert_true(t.n_ids <= 3 * long_text.len + 4);
        }
        rag_tokens_dispose(&t);
        rag_buf_dispose(&blob);
        rag_buf_dispose(&text);
        rag_arena_dispose(&a);
    }
    rag_buf_dispose(&long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wordpiece), cmocka_unit_test(test_words),
        cmocka_unit_test(test_vocab),     cmocka_unit_test(test_sp_bpe),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

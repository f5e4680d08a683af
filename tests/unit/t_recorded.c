/* Replies that real servers (llama.cpp, Ollama) gave, through our clients. */
#include "test.h"

#include <math.h>

#include "../fake/fakeuse.h"
#include "model/chat.h"
#include "model/embed.h"

#define ANY (-2)

/* The behaviour list that replays a file of the transcripts. */
static void list_of(char *out, size_t cap, const char *file)
{
    char path[1024];
    size_t n = 0;

    snprintf(path, sizeof path, "%s/transcripts/%s", RAG_TEST_SHARED, file);
    n += (size_t)snprintf(out, cap, "replay=");
    for (const char *p = path; *p != '\0' && n + 4 < cap; p++)
        n += (size_t)snprintf(out + n, cap - n, *p == '/' ? "%%2F" : "%c", *p);
}

static rag_status hear(void *ctx, rag_str piece, rag_error *err)
{
    rag_buf_adds(ctx, piece);
    return rag_buf_status(ctx, err);
}

static const struct {
    const char *provider, *file;
    rag_status st;
    const char *says; /* in the answer, or in the message */
    int64_t prompt, completion;
    bool cut;
} chats[] = {
    {"openai", "llamacpp_smollm2-135m/chat_stream_usage.txt", RAG_OK, "", ANY,
     ANY, ANY},
    {"openai", "llamacpp_smollm2-135m/chat_stream_nousage.txt", RAG_OK, "", -1,
     -1, ANY},
    {"openai", "llamacpp_qwen2.5-coder-0.5b/chat_stream_usage.txt", RAG_OK,
     "\xEC\x84\x9C\xEC\x9A\xB8", 42, 11, false},
    {"openai", "llamacpp_qwen2.5-coder-0.5b/chat_nostream.txt", RAG_OK,
     "\xEC\x95\x88\xEB\x85\x95\xED\x95\x98\xEC\x84\xB8\xEC\x9A\x94!", 38, 5,
     false},
    {"openai", "llamacpp_ctx256/gen_past_ctx_stream.txt", RAG_OK, "", 46, 210,
     true},
    {"openai", "llamacpp_smollm2-135m/err_toolong.txt", RAG_E_LIMIT,
     "6031 tokens is over the context of m (2048)", 6031, -1, false},
    {"openai", "llamacpp_smollm2-135m/err_toolong_stream.txt", RAG_E_LIMIT,
     "6031", 6031, -1, false},
    {"openai", "llamacpp_smollm2-135m/err_nomessages.txt", RAG_E_REMOTE,
     "'messages' is required", -1, -1, false},
    {"openai", "llamacpp_apikey/badkey.txt", RAG_E_AUTH, "Invalid API Key", -1,
     -1, false},
    {"openai", "llamacpp_loading_503.txt", RAG_E_REMOTE, "Loading model", -1,
     -1, false},
    {"openai", "llamacpp_smollm2-135m/root404.txt", RAG_E_REMOTE, "404", -1, -1,
     false},
    {"openai", "ollama_0.17.4_smollm2-135m/v1_chat_stream.txt", RAG_OK, "", 10,
     8, true},
    {"openai", "ollama_0.17.4_smollm2-135m/v1_badmodel.txt", RAG_E_REMOTE,
     "model 'nope' not found", -1, -1, false},
    {"ollama", "ollama_0.17.4_smollm2-135m/chat_stream.txt", RAG_OK,
     " artificial intelligence", 48, 16, true},
    {"ollama", "ollama_0.17.4_smollm2-135m/chat_nostream.txt", RAG_OK, "", ANY,
     ANY, ANY},
    {"ollama", "ollama_0.17.4_smollm2-135m/empty_messages.txt", RAG_OK, "", -1,
     -1, false},
    {"ollama", "ollama_0.17.4_smollm2-135m/overflow_numctx256_notruncate.txt",
     RAG_E_LIMIT, "exceeds the context length", -1, -1, false},
    {"ollama", "ollama_0.17.4_smollm2-135m/err_badmodel.txt", RAG_E_REMOTE,
     "model 'no-such-model' not found", -1, -1, false},
    {"ollama", "ollama_0.17.4_smollm2-135m/nope.txt", RAG_E_REMOTE,
     "404 page not found", -1, -1, false},
};

static void one_chat(size_t i, bool stream)
{
    static const rag_chat_message hi[] = {{"user", {"hi", 2}}};
    char list[2048];
    rag_chat_opts o = {
        .provider = chats[i].provider, .model = "m", .stream = stream};
    rag_chat_result r;
    rag_error err;
    rag_chat *c;
    rag_buf text;
    rag_status st;

    list_of(list, sizeof list, chats[i].file);
    o.url =
        fake_url(&server, list, strcmp(o.provider, "openai") == 0 ? "/v1" : "");
    rag_buf_init(&text, 1 << 20);
    err.msg[0] = '\0';
    OK(rag_chat_new(&c, &o, &err), &err);
    st = rag_chat_run(&r, c, hi, 1, hear, &text, &err);
    rag_chat_free(c);
    if (st != chats[i].st ||
        strstr(st == RAG_OK ? text.ptr : err.msg, chats[i].says) == NULL ||
        (chats[i].prompt != ANY && r.prompt_tokens != chats[i].prompt) ||
        (chats[i].completion != ANY &&
         r.completion_tokens != chats[i].completion))
        fail_msg("%s: %s '%s' '%s' %lld %lld", chats[i].file,
                 rag_status_name(st), err.msg, text.ptr,
                 (long long)r.prompt_tokens, (long long)r.completion_tokens);
    if (chats[i].completion != ANY && r.cut != chats[i].cut)
        fail_msg("%s: cut", chats[i].file);
    rag_buf_dispose(&text);
}

/* A stream that was asked may come whole; the other way round nobody does. */
static void test_chats(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chats / sizeof *chats; i++)
        one_chat(i, true);
    one_chat(3, false);
    one_chat(5, false);
}

typedef struct got {
    size_t n, dims;
    double worst; /* distance of a length from 1 */
} got;

static rag_status keep(void *ctx, size_t first, size_t n, const float *vectors,
                       size_t dims, rag_error *err)
{
    got *g = ctx;

    (void)first;
    (void)err;
    g->n += n;
    g->dims = dims;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t k = 0; k < dims; k++)
            sum += (double)(vectors[i * dims + k] * vectors[i * dims + k]);
        if (fabs(sum - 1) > g->worst)
            g->worst = fabs(sum - 1);
    }
    return RAG_OK;
}

static void test_embeddings(void **state)
{
    static const struct {
        const char *provider, *file;
        size_t n;
        rag_status st;
        const char *says;
    } cases[] = {
        {"openai", "llamacpp_embed/embeddings.txt", 2, RAG_OK, ""},
        {"openai", "llamacpp_embed/embeddings_base64.txt", 1, RAG_OK, ""},
        {"openai", "llamacpp_embed/embeddings.txt", 3, RAG_E_FORMAT,
         "2 vectors for 3 texts"},
        {"openai", "llamacpp_embed/embeddings_toolong.txt", 2, RAG_E_REMOTE,
         "(2 bytes): "},
        {"openai", "llamacpp_embed/embeddings_empty.txt", 1, RAG_E_REMOTE,
         "Input content cannot be empty"},
        {"openai", "llamacpp_smollm2-135m/embeddings.txt", 2, RAG_E_REMOTE,
         "does not support embeddings"},
        {"openai", "ollama_0.17.4_smollm2-135m/v1_embeddings.txt", 1, RAG_OK,
         ""},
        {"ollama", "ollama_0.17.4_smollm2-135m/embed.txt", 2, RAG_OK, ""},
        {"ollama", "ollama_0.17.4_smollm2-135m/err_badmodel.txt", 1,
         RAG_E_REMOTE, "not found"},
    };
    const rag_str texts[3] = {RAG_STR_LIT("hi"), RAG_STR_LIT("ho"),
                              RAG_STR_LIT("ha")};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_embed_opts o = {.provider = cases[i].provider, .model = "m"};
        got g = {0};
        char list[2048];
        rag_embedder *e;
        rag_error err;
        rag_status st;

        err.msg[0] = '\0';
        list_of(list, sizeof list, cases[i].file);
        o.url = fake_url(&server, list,
                         strcmp(o.provider, "openai") == 0 ? "/v1" : "");
        OK(rag_embed_new(&e, &o, &err), &err);
        st = rag_embed(e, texts, cases[i].n, RAG_EMBED_PASSAGE, keep, &g, &err);
        if (st != cases[i].st || strstr(err.msg, cases[i].says) == NULL)
            fail_msg("%s: %s '%s'", cases[i].file, rag_status_name(st),
                     err.msg);
        if (st == RAG_OK) {
            assert_int_equal(g.n, cases[i].n);
            assert_true(g.dims >= 100 && g.worst < 1e-5);
        }
        rag_embed_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chats),
                                       cmocka_unit_test(test_embeddings)};

    if (access(RAG_TEST_SHARED "/transcripts", R_OK) != 0) {
        printf("skipped: no recorded replies in %s/transcripts\n",
               RAG_TEST_SHARED);
        return 77;
    }
    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}

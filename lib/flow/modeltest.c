/* `rag model test`: small questions whose answers are known beforehand, put to
 * a model the way ingest and search will use it. */
#include "flow/modeltest_priv.h"

#include <stdio.h>
#include <string.h>

const char *const rag_model_test_question[2][RAG_MODEL_TEST_TOPICS] = {
    {"How do I restart the router?",
     "How many days of paid leave do employees get?",
     "At what temperature is bread baked?", "Who painted the Mona Lisa?"},
    {"공유기를 다시 시작하려면 어떻게 하나요?",
     "직원은 유급 휴가를 며칠 받나요?", "빵은 몇 도에서 굽나요?",
     "모나리자는 누가 그렸나요?"}};

const char *const rag_model_test_passage[2][RAG_MODEL_TEST_TOPICS] = {
    {"To restart the router, hold the power button for ten seconds until the "
     "light goes out.",
     "Every employee is entitled to fifteen days of paid holiday a year.",
     "Bread is baked in the oven at a temperature of 220 degrees for forty "
     "minutes.",
     "Leonardo da Vinci painted the portrait known as the Mona Lisa."},
    {"공유기를 재시작하려면 표시등이 꺼질 때까지 전원 버튼을 10초 동안 "
     "누르세요.",
     "모든 직원에게는 1년에 15일의 유급 휴가가 주어집니다.",
     "반죽을 220도로 예열한 오븐에서 40분 동안 구워 빵을 완성합니다.",
     "모나리자라는 초상화는 레오나르도 다 빈치가 그렸습니다."}};

const char rag_model_test_controls[] =
    "a\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14"
    "\x15\x16\x17\x18\x19\x1a\x1b[31m\x1c\x1d\x1e\x1f\x7f "
    "b\xC2\x80\xC2\x9F\xC2\xAD\xE2\x80\x8B\xE2\x80\xAE\xEF\xBB\xBF\xEF\xBF\xBD"
    "\xEF\xBF\xBE\xF3\xA0\x80\x81 "
    "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xA7 e\xCC\x81\xCC\x81 "
    "\"quoted\\\" </s> [SEP] <|endoftext|>";

void rag_model_test_say(const rag_model_tester *t, const char *state,
                        rag_status code, const char *what, const char *mend,
                        const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    rag_flow_check_line(t->fn, t->ctx, state, code, what, mend, fmt, ap);
    va_end(ap);
}

bool rag_model_test_ours(rag_status st)
{
    return st == RAG_E_NOMEM || st == RAG_E_CANCELLED;
}

void rag_model_test_prose(rag_buf *out, uint32_t n_tokens, unsigned seed)
{
    size_t start = out->len;

    /* a language a sentence: neither hides the other's window */
    for (unsigned i = seed; out->failed == RAG_OK; i++) {
        rag_buf_addz(
            out, rag_model_test_passage[i % 2][i / 2 % RAG_MODEL_TEST_TOPICS]);
        rag_buf_addf(out, " (%u) ", i);
        if (i % 16 == 0 || n_tokens < 1000)
            if (rag_chunk_tokens(
                    rag_str_cut(rag_buf_str(out), start, out->len)) >= n_tokens)
                return;
    }
}

rag_status rag_model_test(const rag_config *cfg, bool embed, bool rerank,
                          rag_check_fn fn, void *ctx, rag_error *err)
{
    rag_model_tester t = {cfg, fn, ctx, embed && rerank};
    bool pairs = false;
    rag_status st = RAG_OK;

    if (embed)
        st = rag_model_test_embed(&t, err);
    /* named for itself, it need not be a reranker */
    if (st == RAG_OK && rerank && !embed)
        st = rag_model_test_pairs(&pairs, &t, err);
    if (st == RAG_OK && rerank && !pairs)
        st = rag_model_test_rerank(&t, err);
    return st;
}

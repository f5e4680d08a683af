/* Answers for fakellm: a text in small pieces, and the ways it can go wrong. */
#include "fakellm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER "The documents say so [1]."

/* A chunked stream of events. */
typedef struct stream {
    const fake_request *r;
    size_t n_sent;
    bool broken;
} stream;

static void send_bytes(stream *s, const char *bytes, size_t len)
{
    size_t step = (size_t)fake_num(s->r, "net", 1 << 20);
    size_t cut = (size_t)fake_num(s->r, "cut", -1);

    for (size_t at = 0; at < len && !s->broken;) {
        size_t n = len - at < step ? len - at : step;
        char size[32];
        int k;

        if (s->n_sent + n > cut)
            n = cut - s->n_sent;
        if (n == 0) {
            s->broken = true;
            return;
        }
        k = snprintf(size, sizeof size, "%zx\r\n", n);
        s->broken = !fake_write(s->r->fd, size, (size_t)k) ||
                    !fake_write(s->r->fd, bytes + at, n) ||
                    !fake_write(s->r->fd, "\r\n", 2);
        s->n_sent += n;
        at += n;
    }
}

static void event(stream *s, const char *json)
{
    const char *eol = fake_has(s->r, "crlf") ? "\r\n" : "\n";
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 24);
    if (s->r->ollama) {
        rag_buf_addf(&b, "%s%s", json, eol);
    } else {
        if (fake_has(s->r, "comment"))
            rag_buf_addf(&b, ": keep-alive%s%s", eol, eol);
        rag_buf_addf(&b, "data: %s%s%s", json, eol, eol);
    }
    if (s->r->ollama && fake_has(s->r, "nonl") &&
        strstr(json, "\"done\":true") != NULL)
        rag_buf_trunc(&b, b.len - 1);
    send_bytes(s, b.ptr, b.len);
    rag_buf_dispose(&b);
    fake_sleep(fake_num(s->r, "body_ms", 0));
}

static void piece(stream *s, const char *text, size_t n, const char *field)
{
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 24);
    if (s->r->ollama) {
        rag_buf_addf(&b,
                     "{\"model\":\"fake\",\"message\":{\"role\":\"assistant\","
                     "\"%s\":",
                     field);
        fake_json_str(&b, text, n);
        rag_buf_addz(&b, "},\"done\":false}");
    } else {
        rag_buf_addf(&b,
                     "{\"choices\":[{\"index\":0,\"finish_reason\":null,"
                     "\"delta\":{\"%s\":",
                     field);
        fake_json_str(&b, text, n);
        rag_buf_addz(&b, "}}],\"object\":\"chat.completion.chunk\"}");
    }
    event(s, b.ptr);
    rag_buf_dispose(&b);
}

static size_t piece_len(const fake_request *r, const char *text, size_t left)
{
    size_t n = (size_t)fake_num(r, "split", 8);

    if (fake_has(r, "rawsplit"))
        n = (size_t)fake_num(r, "rawsplit", 1);
    if (n == 0 || n > left)
        n = left;
    if (!fake_has(r, "rawsplit"))
        while (n < left && ((unsigned char)text[n] & 0xC0) == 0x80)
            n++;
    return n;
}

static void finish(stream *s, const char *reason, long prompt, size_t n)
{
    char json[512];

    if (s->r->ollama) {
        (void)snprintf(json, sizeof json,
                       "{\"model\":\"fake\",\"message\":{\"role\":"
                       "\"assistant\",\"content\":\"\"},\"done\":true,"
                       "\"done_reason\":\"%s\",\"prompt_eval_count\":%ld,"
                       "\"eval_count\":%zu}",
                       reason, prompt, n);
        event(s, json);
        return;
    }
    (void)snprintf(json, sizeof json,
                   "{\"choices\":[{\"finish_reason\":\"%s\",\"index\":0,"
                   "\"delta\":{}}]}",
                   reason);
    event(s, json);
    if (!fake_has(s->r, "nousage")) {
        (void)snprintf(json, sizeof json,
                       "{\"choices\":[],\"usage\":{\"completion_tokens\":%zu,"
                       "\"prompt_tokens\":%ld,\"total_tokens\":%ld}}",
                       n, prompt, prompt + (long)n);
        event(s, json);
    }
    if (!fake_has(s->r, "nodone"))
        event(s, "[DONE]");
}

static bool stream_answer(const fake_request *r, const char *text, size_t len,
                          const char *reason, long prompt)
{
    stream s = {.r = r};
    long error_after = fake_num(r, "error_after", -1);
    size_t n = 0;
    char head[256];
    int k = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n",
                     r->ollama ? "application/x-ndjson" : "text/event-stream");

    fake_sleep(fake_num(r, "head_ms", 0));
    if (!fake_write(r->fd, head, (size_t)k))
        return false;
    if (!r->ollama)
        event(&s, "{\"choices\":[{\"finish_reason\":null,\"index\":0,"
                  "\"delta\":{\"role\":\"assistant\",\"content\":null}}]}");
    if (fake_has(r, "reason"))
        piece(&s, "thinking", 8, r->ollama ? "thinking" : "reasoning_content");
    for (size_t at = 0; at < len && !s.broken;) {
        size_t step = piece_len(r, text + at, len - at);

        if ((long)n == error_after) {
            event(&s, r->ollama ? "{\"error\":\"model crashed\"}"
                                : "{\"error\":{\"message\":\"model crashed\","
                                  "\"code\":500}}");
            break;
        }
        piece(&s, text + at, step, "content");
        at += step;
        n++;
    }
    if ((error_after < 0 || (size_t)error_after > n) && !fake_has(r, "noend"))
        finish(&s, reason, prompt, n);
    if (s.broken)
        return false;
    return fake_write(r->fd, "0\r\n\r\n", 5);
}

static bool whole_answer(const fake_request *r, const char *text, size_t len,
                         const char *reason, long prompt)
{
    rag_buf b;
    bool ok;

    rag_buf_init(&b, (size_t)1 << 24);
    if (r->ollama) {
        rag_buf_addz(&b, "{\"model\":\"fake\",\"message\":{\"role\":"
                         "\"assistant\",\"content\":");
        fake_json_str(&b, text, len);
        rag_buf_addf(&b,
                     "},\"done\":true,\"done_reason\":\"%s\","
                     "\"prompt_eval_count\":%ld,\"eval_count\":7}",
                     reason, prompt);
    } else {
        rag_buf_addf(&b,
                     "{\"choices\":[{\"finish_reason\":\"%s\",\"index\":0,"
                     "\"message\":{\"role\":\"assistant\",\"content\":",
                     reason);
        fake_json_str(&b, text, len);
        rag_buf_addf(&b,
                     "}}],\"usage\":{\"completion_tokens\":7,"
                     "\"prompt_tokens\":%ld}}",
                     prompt);
    }
    ok = fake_reply(r, 200, "application/json", &b);
    rag_buf_dispose(&b);
    return ok;
}

static bool overflow(const fake_request *r)
{
    long n = fake_num(r, "n", 6031);
    long ctx = fake_num(r, "ctx", 2048);
    char kind[16];
    rag_buf b;
    bool ok;

    (void)fake_opt(kind, sizeof kind, r, "overflow");
    rag_buf_init(&b, 4096);
    if (r->ollama)
        rag_buf_addz(&b, "{\"error\":\"the input length exceeds the context "
                         "length\"}");
    else if (strcmp(kind, "openai") == 0)
        rag_buf_addf(&b,
                     "{\"error\":{\"message\":\"This model's maximum context "
                     "length is %ld tokens. However, your messages resulted "
                     "in %ld tokens.\",\"type\":\"invalid_request_error\","
                     "\"param\":\"messages\","
                     "\"code\":\"context_length_exceeded\"}}",
                     ctx, n);
    else if (strcmp(kind, "vllm") == 0)
        rag_buf_addf(&b,
                     "{\"object\":\"error\",\"message\":\"This model's maximum "
                     "context length is %ld tokens. However, you requested "
                     "%ld tokens.\",\"type\":\"BadRequestError\","
                     "\"code\":400}",
                     ctx, n);
    else
        rag_buf_addf(&b,
                     "{\"error\":{\"code\":400,\"message\":\"request (%ld "
                     "tokens) exceeds the available context size (%ld "
                     "tokens), try increasing it\",\"type\":"
                     "\"exceed_context_size_error\",\"n_prompt_tokens\":%ld,"
                     "\"n_ctx\":%ld}}",
                     n, ctx, n, ctx);
    ok = fake_reply(r, 400, "application/json", &b);
    rag_buf_dispose(&b);
    return ok;
}

static rag_str last_message(const fake_request *r)
{
    rag_str s = {"", 0};

    for (const rag_json *m = rag_json_first(rag_json_get(r->json, "messages"));
         m != NULL; m = rag_json_next(m))
        s = rag_json_get_str(m, "content");
    return s;
}

bool fake_chat(fake_request *r)
{
    char *text = calloc(1, (size_t)1 << 16);
    char reason[32];
    char quirk[64];
    char says[128];
    rag_str answer = RAG_STR_LIT(ANSWER);
    bool streamed = r->ollama; /* Ollama streams unless told not to */
    long prompt = fake_num(r, "prompt_tokens", 11);
    bool ok;

    if (text == NULL)
        exit(1);
    if (fake_has(r, "overflow")) {
        ok = overflow(r);
        goto out;
    }
    if (fake_opt(quirk, sizeof quirk, r, "quirk") &&
        !rag_json_is_null(rag_json_get(r->json, quirk))) {
        (void)snprintf(says, sizeof says, "Unsupported parameter: '%s'", quirk);
        ok = fake_error(r, 400, says);
        goto out;
    }
    if (fake_opt(text, (size_t)1 << 16, r, "text"))
        answer = rag_str_of(text);
    if (fake_has(r, "echo"))
        answer = last_message(r);
    if (!fake_opt(reason, sizeof reason, r, "finish"))
        (void)snprintf(reason, sizeof reason, "stop");
    (void)rag_json_bool(&streamed, rag_json_get(r->json, "stream"));
    ok = streamed && !fake_has(r, "plain")
             ? stream_answer(r, answer.ptr, answer.len, reason, prompt)
             : whole_answer(r, answer.ptr, answer.len, reason, prompt);
out:
    free(text);
    return ok;
}

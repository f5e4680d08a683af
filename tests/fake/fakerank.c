/* Reranking for fakellm: the share of the question's words that a text holds,
 * said as the servers say it. */
#include "fakellm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXTS 65536

typedef struct scored {
    size_t i;
    double score;
} scored;

static size_t next_word(rag_str *word, rag_str s, size_t at)
{
    size_t end;

    while (at < s.len && !isalnum((unsigned char)s.ptr[at]) &&
           (unsigned char)s.ptr[at] < 0x80)
        at++;
    end = at;
    while (end < s.len && (isalnum((unsigned char)s.ptr[end]) ||
                           (unsigned char)s.ptr[end] >= 0x80))
        end++;
    *word = rag_str_cut(s, at, end);
    return end;
}

static bool holds(rag_str text, rag_str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (strncasecmp(text.ptr + i, word.ptr, word.len) == 0)
            return true;
    return false;
}

static double share(rag_str query, rag_str text)
{
    size_t n = 0;
    size_t found = 0;
    rag_str word;

    for (size_t at = next_word(&word, query, 0); word.len != 0;
         at = next_word(&word, query, at)) {
        if (word.len < 3)
            continue;
        n++;
        found += holds(text, word);
    }
    return n != 0 ? (double)found / (double)n : 0;
}

static int best_first(const void *a, const void *b)
{
    const scored *x = a;
    const scored *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static void put_score(rag_buf *b, const fake_request *r, double score)
{
    if (fake_has(r, "nan"))
        rag_buf_addz(b, "NaN");
    else if (fake_has(r, "null"))
        rag_buf_addz(b, "null");
    else if (fake_has(r, "str"))
        rag_buf_addz(b, "\"0.5\"");
    else if (fake_has(r, "same"))
        rag_buf_addz(b, "0.5");
    else if (fake_has(r, "logits"))
        rag_buf_addf(b, "%.6f", 16 * score - 8);
    else
        rag_buf_addf(b, "%.6f", 0.02 + 0.96 * score);
}

static void put_results(rag_buf *b, const fake_request *r, const scored *list,
                        const rag_str *texts, size_t n, bool tei)
{
    size_t out = (size_t)fake_num(r, "short", (long)n);

    for (size_t k = 0; k < out && k < n; k++) {
        size_t i = list[k].i;

        if (fake_has(r, "dupindex"))
            i = 0;
        if (fake_has(r, "badindex"))
            i += n;
        rag_buf_addz(b, k == 0 ? "{" : ",{");
        if (!fake_has(r, "noindex"))
            rag_buf_addf(b, "\"index\":%zu,", i);
        if (fake_has(r, "documents")) {
            rag_buf_addz(b, "\"document\":{\"text\":");
            fake_json_str(b, texts[list[k].i].ptr, texts[list[k].i].len);
            rag_buf_addz(b, "},");
        }
        rag_buf_addz(b, tei ? "\"score\":" : "\"relevance_score\":");
        put_score(b, r, list[k].score);
        rag_buf_addc(b, '}');
    }
}

/* 0: taken, else the status of the refusal. */
static long refusal(char *says, size_t cap, const fake_request *r,
                    const rag_str *texts, size_t n)
{
    const char *why = NULL;

    if (n > (size_t)fake_num(r, "max", MAX_TEXTS))
        why = "batch size is over the maximum allowed batch size";
    for (size_t i = 0; i < n; i++)
        if (texts[i].len > (size_t)fake_num(r, "maxlen", 1 << 30))
            why = "input is too large to process. increase the physical batch "
                  "size";
    if (why == NULL)
        return 0;
    if (!fake_opt(says, cap, r, "message"))
        (void)snprintf(says, cap, "%s", why);
    return fake_num(r, "refuse", 500);
}

static bool answer(fake_request *r, const rag_json *list, bool tei)
{
    rag_str query = rag_json_get_str(r->json, "query");
    size_t n = rag_json_count(list);
    rag_str *texts = calloc(n + 1, sizeof *texts);
    scored *order = calloc(n + 1, sizeof *order);
    const rag_json *item = rag_json_first(list);
    char says[256];
    long status;
    rag_buf b;
    bool ok;

    if (texts == NULL || order == NULL)
        exit(1);
    rag_buf_init(&b, (size_t)1 << 28);
    for (size_t i = 0; item != NULL; i++, item = rag_json_next(item)) {
        (void)rag_json_str(&texts[i], item);
        order[i] = (scored){i, share(query, texts[i])};
        if (fake_has(r, "byplace")) /* scores depend on the order */
            order[i].score = (double)i / (double)n;
    }
    status = refusal(says, sizeof says, r, texts, n);
    if (status != 0) {
        ok = fake_error(r, status, says);
    } else {
        fake_count_texts(r, n);
        if (!fake_has(r, "unsorted"))
            qsort(order, n, sizeof *order, best_first);
        rag_buf_addz(&b, tei ? "["
                             : "{\"object\":\"list\",\"model\":\"fake\","
                               "\"usage\":{\"total_tokens\":1},\"results\":[");
        put_results(&b, r, order, texts, n, tei);
        rag_buf_addz(&b, tei ? "]" : "]}");
        ok = fake_reply(r, 200, "application/json", &b);
    }
    rag_buf_dispose(&b);
    free(order);
    free(texts);
    return ok;
}

bool fake_rerank(fake_request *r)
{
    bool tei = fake_has(r, "tei");
    const rag_json *list = rag_json_get(r->json, tei ? "texts" : "documents");
    char model[128];

    if ((tei || fake_has(r, "rootonly")) && strcmp(r->path, "/rerank") != 0)
        return fake_error(r, 404, "no such path");
    if (fake_opt(model, sizeof model, r, "model") && !tei &&
        !rag_str_eqz(rag_json_get_str(r->json, "model"), model))
        return fake_error(r, 404, "the model does not exist");
    if (!rag_json_is_array(list) || rag_json_count(list) == 0 ||
        rag_json_count(list) > MAX_TEXTS)
        return fake_error(r, 422,
                          tei ? "Failed to deserialize the JSON body: missing "
                                "field `texts` at line 1"
                              : "\"documents\" must be a non-empty array");
    return answer(r, list, tei);
}

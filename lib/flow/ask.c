#include "flow/ask_priv.h"

#include "base/mem.h"
#include "flow/extract.h"
#include "flow/gate.h"
#include "flow/prompt.h"
#include "flow/readable.h"
#include "flow/retrieve.h"

/* Why an answer that came to an end is not whole. */
#define WHY_CUT                                                                \
    "the model stopped at its limit of tokens (raise chat.max_tokens; it "     \
    "counts in chat.context_tokens)"
#define WHY_WITHHELD "the model's server withheld the rest (its content filter)"

/* ---- the two kinds of answers ------------------------------------------- */

static void by_number(rag_answer *a)
{
    for (size_t i = 1; i < a->n_citations; i++)
        for (size_t j = i; j > 0 && a->citations[j].n < a->citations[j - 1].n;
             j--) {
            rag_citation t = a->citations[j];

            a->citations[j] = a->citations[j - 1];
            a->citations[j - 1] = t;
        }
}

/* The number that the passage is shown by: from 1, in the order in which the
 * answer comes to them. */
static uint32_t number_of(size_t cited[RAG_EXTRACT_MAX], size_t *n_cited,
                          size_t hit)
{
    size_t i = 0;

    while (i < *n_cited && cited[i] != hit)
        i++;
    if (i == *n_cited)
        cited[(*n_cited)++] = hit;
    return (uint32_t)i + 1;
}

static rag_status answer_from_text(rag_ask_run *u, rag_error *err)
{
    rag_extracted list[RAG_EXTRACT_MAX];
    size_t cited[RAG_EXTRACT_MAX];
    size_t n_cited = 0;
    size_t n;
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, RAG_ASK_MAX_BYTES);
    u->a->chat_model = RAG_STR_LIT("extract");
    TRY(rag_extract(list, &n, u->r, u->a->question, u->hits, err));
    if (n == 0) {
        u->a->status = RAG_ABSTAINED;
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const rag_hit *h = &u->hits->hits[list[i].hit];
        uint32_t no = number_of(cited, &n_cited, list[i].hit);
        rag_cite_check k = {.score = 1,
                            .verbatim = true,
                            .quote_start = list[i].start,
                            .quote_end = list[i].block_end};

        rag_buf_clear(&b);
        rag_readable_sentence(&b,
                              rag_str_cut(h->text, list[i].start, list[i].end));
        rag_buf_addf(&b, " [%u]", no);
        if (list[i].block_end > list[i].block) {
            rag_buf_addc(&b, '\n');
            rag_readable_block(
                &b, rag_str_cut(h->text, list[i].block, list[i].block_end));
        }
        TRY(rag_buf_status(&b, err));
        rag_buf_adds(&u->sentence, rag_buf_str(&b));
        rag_ask_mark(u, no);
        TRY(rag_ask_give(u, rag_buf_str(&b), err));
        TRY(rag_ask_cite(u, no, h, &k, "exact", err));
        TRY(rag_ask_keep(u, "supported", err));
        if (i + 1 < n)
            TRY(rag_ask_give(u, RAG_STR_LIT("\n"), err));
        rag_buf_clear(&u->sentence);
        u->n_cites = 0;
    }
    u->a->status = RAG_ANSWERED;
out:
    rag_buf_dispose(&b);
    return st;
}

static rag_status on_text(void *ctx, rag_str piece, rag_error *err)
{
    return rag_gate_add(ctx, piece, err);
}

/* What the answer is worth, now that the model has stopped with `st`. */
static rag_status chat_ended(rag_ask_run *u, rag_gate *gate,
                             const rag_chat_result *result, rag_status st,
                             rag_error *err)
{
    rag_answer *a = u->a;
    rag_status ended = rag_gate_end(gate, st == RAG_OK ? err : NULL);

    if (ended == RAG_OK)
        ended = rag_ask_end_sentence(u, st == RAG_OK ? err : NULL);
    if (st == RAG_OK)
        st = ended;
    a->complete = st == RAG_OK && !result->cut;
    if (st != RAG_OK)
        return st; /* the status is RAG_FAILED */
    if (rag_gate_abstained(gate)) {
        a->complete = true; /* what it says behind the sign is not shown */
        a->status = RAG_ABSTAINED;
    } else if (a->n_sentences != 0 || a->left_out) {
        a->status = RAG_ANSWERED;
        if (result->cut)
            a->why_cut = result->withheld ? WHY_WITHHELD : WHY_CUT;
    } else if (result->cut) {
        /* a model that thinks aloud can use all its tokens on that; this is
         * not "the documents do not say" */
        st = rag_fail(err, RAG_E_REMOTE, "no answer: %s",
                      result->withheld ? WHY_WITHHELD : WHY_CUT);
    } else {
        a->status = RAG_ABSTAINED;
    }
    return st;
}

static rag_status answer_from_chat(rag_ask_run *u, rag_chat *chat,
                                   rag_error *err)
{
    rag_prompt p;
    rag_gate *gate = NULL;
    rag_str *texts =
        rag_arena_array(&u->a->arena, u->hits->n_hits, sizeof *texts);
    rag_gate_opts g = {.passages = texts, .sink = rag_ask_passed, .ctx = u};
    rag_chat_message messages[2];
    rag_chat_result result = {.prompt_tokens = -1, .completion_tokens = -1};
    rag_status st;

    rag_buf_init(&p.system, 1);
    rag_buf_init(&p.user, 1);
    if (texts == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_prompt_make(&p, u->r, u->a->question, u->opts->extra_context,
                        u->hits, err));
    u->n_passages = p.n_passages;
    g.n_passages = p.n_passages;
    for (size_t i = 0; i < p.n_passages; i++)
        texts[i] = u->hits->hits[i].text;
    TRY(rag_gate_new(&gate, &g, err));
    messages[0] = (rag_chat_message){"system", rag_buf_str(&p.system)};
    messages[1] = (rag_chat_message){"user", rag_buf_str(&p.user)};
    st = rag_chat_run(&result, chat, messages, 2, on_text, gate, err);
    u->a->prompt_tokens = result.prompt_tokens;
    u->a->completion_tokens = result.completion_tokens;
    u->a->ms_first_token = result.first_token_ms;
    st = chat_ended(u, gate, &result, st, err);
out:
    rag_gate_free(gate);
    rag_prompt_dispose(&p);
    return st;
}

/* ---- outside ------------------------------------------------------------ */

static void run_dispose(rag_ask_run *u)
{
    rag_cite_free(u->cite);
    rag_buf_dispose(&u->text);
    rag_buf_dispose(&u->sentence);
    rag_buf_dispose(&u->bare);
    rag_buf_dispose(&u->gap);
}

static rag_status answer_new(rag_answer **out, rag *r, rag_str question,
                             rag_error *err)
{
    rag_answer *a = rag_calloc(1, sizeof *a);

    *out = a;
    if (a == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&a->arena);
    a->status = RAG_FAILED;
    a->prompt_tokens = a->completion_tokens = -1;
    a->text = RAG_STR_LIT("");
    a->embed_model = RAG_STR_LIT("none");
    if (!rag_arena_str(&a->arena, &a->question, question) ||
        !rag_arena_str(
            &a->arena, &a->chat_model,
            rag_str_of(r->cfg.chat_model != NULL ? r->cfg.chat_model : "none")))
        return rag_fail_nomem(err);
    return RAG_OK;
}

static rag_status run_ask(rag_ask_run *u, rag_error *err)
{
    rag_retrieve_opts o = {.search = u->opts->search};
    rag_chat *chat = NULL;
    rag_status st;

    TRY(rag_retrieve(&u->a->retrieved, u->r, u->a->question, &o, err));
    u->hits = u->a->retrieved;
    u->n_passages = u->hits->n_hits;
    u->a->ms_retrieve = u->hits->ms_total;
    if (u->r->embed_model != NULL &&
        !rag_arena_str(&u->a->arena, &u->a->embed_model,
                       rag_str_of(u->r->embed_model))) {
        st = rag_fail_nomem(err);
        goto out;
    }
    if (u->watch != NULL && u->watch->retrieved != NULL)
        u->watch->retrieved(u->watch->ctx, u->hits);
    u->a->complete = true;
    if (!u->hits->relevant && u->opts->extra_context.len == 0) {
        u->a->status = RAG_ABSTAINED;
        goto out;
    }
    if (!u->opts->extract)
        TRY(rag_flow_chat(&chat, u->r, !u->opts->no_stream, err));
    st = chat != NULL ? answer_from_chat(u, chat, err)
                      : answer_from_text(u, err);
out:
    rag_chat_free(chat);
    return st;
}

rag_status rag_ask(rag_answer **out, rag *r, rag_str question,
                   const rag_ask_opts *opts, const rag_ask_watch *watch,
                   rag_error *err)
{
    double began = rag_flow_now_ms();
    rag_ask_run u = {.r = r, .opts = opts, .watch = watch};
    rag_status st;

    *out = NULL;
    rag_buf_init(&u.text, RAG_ASK_MAX_BYTES);
    rag_buf_init(&u.sentence, RAG_ASK_MAX_BYTES);
    rag_buf_init(&u.bare, RAG_ASK_MAX_BYTES);
    rag_buf_init(&u.gap, RAG_ASK_MAX_BYTES);
    TRY(answer_new(&u.a, r, question, err));
    u.cite = rag_cite_new();
    if (u.cite == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = run_ask(&u, err);
    by_number(u.a);
    if (!rag_arena_str(&u.a->arena, &u.a->text, rag_buf_str(&u.text)) &&
        st == RAG_OK)
        st = rag_fail_nomem(err);
    u.a->ms_total = rag_flow_now_ms() - began;
    if (st == RAG_OK || u.text.len != 0) {
        *out = u.a;
        u.a = NULL;
    }
out:
    rag_answer_free(u.a);
    run_dispose(&u);
    return st;
}

void rag_answer_free(rag_answer *a)
{
    if (a == NULL)
        return;
    rag_hits_free(a->retrieved);
    rag_arena_dispose(&a->arena);
    rag_free(a);
}

rag_status rag_ask_prompt(rag_buf *out, rag *r, rag_str question,
                          const rag_ask_opts *opts, rag_error *err)
{
    rag_retrieve_opts o = {.search = opts->search};
    rag_hits *hits = NULL;
    rag_prompt p;
    rag_status st;

    rag_buf_init(&p.system, 1);
    rag_buf_init(&p.user, 1);
    TRY(rag_retrieve(&hits, r, question, &o, err));
    TRY(rag_prompt_make(&p, r, question, opts->extra_context, hits, err));
    rag_buf_addz(out, "--- system\n");
    rag_buf_adds(out, rag_buf_str(&p.system));
    rag_buf_addz(out, "\n--- user\n");
    rag_buf_adds(out, rag_buf_str(&p.user));
    rag_buf_addc(out, '\n');
    st = rag_buf_status(out, err);
out:
    rag_prompt_dispose(&p);
    rag_hits_free(hits);
    return st;
}

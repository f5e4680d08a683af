#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/sentence.h"
#include "base/utf8.h"
#include "flow/cite.h"
#include "flow/extract.h"
#include "flow/gate.h"
#include "flow/prompt.h"
#include "flow/readable.h"
#include "flow/retrieve.h"

#define MAX_ANSWER_BYTES ((size_t)4 << 20)
/* Citations one sentence may carry; ALCE counts no more than three. */
#define MAX_CITES 8
/* A sentence without a citation gets that of the passage that supports it best,
 * when it is at least so long. */
#define ATTACH_MIN_CHARS 12

/* A longer sentence ends at the next stop sign, whatever follows. */
#define MAX_JUDGED_BYTES 4096

/* Why an answer that came to an end is not whole. */
#define WHY_CUT                                                                \
    "the model stopped at its limit of tokens (raise chat.max_tokens; it "     \
    "counts in chat.context_tokens)"
#define WHY_WITHHELD "the model's server withheld the rest (its content filter)"

typedef struct run {
    rag *r;
    const rag_ask_opts *opts;
    const rag_ask_watch *watch;
    rag_answer *a;
    rag_hits *hits;
    size_t n_passages; /* hits [0, n) may be cited */
    rag_cite *cite;
    rag_buf text;     /* everything given to delta */
    rag_buf sentence; /* at hand: with its [n] */
    rag_buf bare;     /* at hand: without them */
    rag_buf gap;      /* white space held behind a sentence's end */
    bool ended;       /* a sentence's end was seen */
    uint32_t cites[MAX_CITES];
    size_t n_cites;
    bool told[256]; /* citation n was told */
    size_t cap_sentences;
} run;

/* ---- what leaves -------------------------------------------------------- */

static rag_status give(run *u, rag_str s, rag_error *err)
{
    rag_status st;

    if (s.len == 0)
        return RAG_OK;
    rag_buf_adds(&u->text, s);
    st = rag_buf_status(&u->text, err);
    if (st == RAG_OK && u->watch != NULL && u->watch->delta != NULL)
        st = u->watch->delta(u->watch->ctx, s, err);
    return st;
}

static rag_str passage_text(const run *u, size_t i)
{
    return u->hits->hits[i].text;
}

/* How well passage n (from 1) carries the sentence; what the model was told
 * about it (document, headings, a table's header) counts as its own words. */
static rag_status compare(rag_cite_check *k, run *u, rag_str sentence,
                          uint32_t n, rag_error *err)
{
    const rag_hit *h = &u->hits->hits[n - 1];
    rag_status st;
    rag_buf about;

    rag_buf_init(&about, MAX_ANSWER_BYTES * 16);
    rag_buf_adds(&about, h->title);
    for (size_t i = 0; i < h->n_headings; i++) {
        rag_buf_addc(&about, '\n');
        rag_buf_adds(&about, h->headings[i]);
    }
    rag_buf_addc(&about, '\n');
    rag_buf_adds(&about, h->context);
    TRY(rag_buf_status(&about, err));
    st = rag_cite_compare(k, u->cite, sentence, h->text, rag_buf_str(&about),
                          err);
out:
    rag_buf_dispose(&about);
    return st;
}

/* ---- sentences ---------------------------------------------------------- */

static rag_status keep_sentence(run *u, const char *support, rag_error *err)
{
    rag_answer *a = u->a;
    rag_sentence *s;
    uint32_t *cites;

    if (a->n_sentences == u->cap_sentences) {
        size_t cap = u->cap_sentences != 0 ? u->cap_sentences * 2 : 16;
        rag_sentence *grown = rag_arena_array(&a->arena, cap, sizeof *grown);

        if (grown == NULL)
            return rag_fail_nomem(err);
        if (a->n_sentences != 0)
            memcpy(grown, a->sentences, a->n_sentences * sizeof *grown);
        a->sentences = grown;
        u->cap_sentences = cap;
    }
    s = &a->sentences[a->n_sentences];
    cites = rag_arena_array(&a->arena, u->n_cites, sizeof *cites);
    if (cites == NULL ||
        !rag_arena_str(&a->arena, &s->text,
                       rag_str_trim(rag_buf_str(&u->sentence))))
        return rag_fail_nomem(err);
    memcpy(cites, u->cites, u->n_cites * sizeof *cites);
    s->cites = cites;
    s->n_cites = u->n_cites;
    s->support = support;
    a->n_sentences++;
    return RAG_OK;
}

static rag_status add_citation(run *u, uint32_t n, const rag_cite_check *k,
                               const char *check, rag_error *err)
{
    rag_answer *a = u->a;
    const rag_hit *h = &u->hits->hits[n - 1];
    rag_citation *c = NULL;

    for (size_t i = 0; i < a->n_citations; i++)
        if (a->citations[i].n == n)
            c = &a->citations[i];
    if (c == NULL) {
        if (a->citations == NULL)
            a->citations =
                rag_arena_array(&a->arena, u->n_passages, sizeof *a->citations);
        if (a->citations == NULL)
            return rag_fail_nomem(err);
        c = &a->citations[a->n_citations++];
        c->n = n;
        c->hit = *h;
    } else if (strcmp(c->check, "exact") == 0 || strcmp(check, "exact") != 0) {
        return RAG_OK; /* the better quote stays */
    }
    c->check = check;
    c->quote = rag_str_cut(h->text, k->quote_start, k->quote_end);
    c->quote_start = h->start + k->quote_start;
    c->quote_end = h->start + k->quote_end;
    if (u->watch != NULL && u->watch->citation != NULL && n < 256 &&
        !u->told[n]) {
        u->told[n] = true;
        u->watch->citation(u->watch->ctx, c);
    }
    return RAG_OK;
}

/* Does another passage carry the sentence well? */
static rag_status elsewhere(bool *out, run *u, rag_str bare, rag_error *err)
{
    *out = false;
    for (uint32_t n = 1; n <= u->n_passages && !*out; n++) {
        rag_cite_check k;
        rag_status st = compare(&k, u, bare, n, err);

        if (st != RAG_OK)
            return st;
        *out = strcmp(rag_cite_support(&k), "supported") == 0;
    }
    return RAG_OK;
}

/* Checks the sentence at hand against what it cites. */
static rag_status judge(const char **support, run *u, rag_error *err)
{
    rag_str bare = rag_buf_str(&u->bare);
    rag_status st = RAG_OK;
    int best = 0; /* 0 unsupported, 1 partly, 2 supported */

    for (size_t i = 0; i < u->n_cites; i++) {
        rag_cite_check k;
        const char *s;
        const char *check;

        TRY(compare(&k, u, bare, u->cites[i], err));
        s = rag_cite_support(&k);
        check = k.verbatim ? "exact" : "fuzzy";
        if (strcmp(s, "supported") == 0)
            best = 2;
        else if (strcmp(s, "partly") == 0 && best < 1)
            best = 1;
        if (strcmp(s, "unsupported") == 0) {
            bool other;

            TRY(elsewhere(&other, u, bare, err));
            check = other ? "misattributed" : "not_found";
        }
        TRY(add_citation(u, u->cites[i], &k, check, err));
    }
    *support = best == 2 ? "supported" : best == 1 ? "partly" : "unsupported";
out:
    return st;
}

/* A sentence that cites nothing gets the passage that plainly holds it. */
static rag_status attach(run *u, rag_error *err)
{
    rag_str bare = rag_buf_str(&u->bare);
    double best = 0;
    uint32_t best_n = 0;

    if (u->n_cites != 0 ||
        rag_utf8_count(rag_str_trim(bare)) < ATTACH_MIN_CHARS)
        return RAG_OK;
    for (uint32_t n = 1; n <= u->n_passages; n++) {
        rag_cite_check k;
        rag_status st = compare(&k, u, bare, n, err);

        if (st != RAG_OK)
            return st;
        if (k.score > best && strcmp(rag_cite_support(&k), "supported") == 0) {
            best = k.score;
            best_n = n;
        }
    }
    if (best_n != 0) {
        char mark[24];
        rag_buf b;

        rag_buf_init(&b, sizeof mark);
        rag_buf_addf(&b, " [%u]", best_n);
        rag_buf_adds(&u->sentence, rag_buf_str(&b));
        u->cites[u->n_cites++] = best_n;
        if (!u->opts->strict) {
            rag_status st = give(u, rag_buf_str(&b), err);

            rag_buf_dispose(&b);
            return st;
        }
        rag_buf_dispose(&b);
    }
    return RAG_OK;
}

/* The sentence at hand is whole. */
static rag_status finish_sentence(run *u, rag_error *err)
{
    const char *support;
    rag_status st = RAG_OK;

    if (rag_str_trim(rag_buf_str(&u->bare)).len != 0) {
        TRY(attach(u, err));
        TRY(judge(&support, u, err));
        if (u->opts->strict && strcmp(support, "unsupported") == 0) {
            u->a->left_out = true;
            rag_buf_clear(&u->gap);
        } else {
            if (u->opts->strict)
                TRY(give(u, rag_buf_str(&u->sentence), err));
            TRY(keep_sentence(u, support, err));
        }
    }
    TRY(give(u, rag_buf_str(&u->gap), err));
out:
    rag_buf_clear(&u->gap);
    rag_buf_clear(&u->sentence);
    rag_buf_clear(&u->bare);
    u->n_cites = 0;
    u->ended = false;
    return st;
}

static bool ends_sentence(uint32_t cp)
{
    return cp == '.' || cp == '!' || cp == '?' || cp == 0x3002 ||
           cp == 0xFF01 || cp == 0xFF1F;
}

/* Now that the next character is known: "1. Press", "e.g. this" go on. */
static rag_status really_ends(bool *out, const run *u, rag_str next,
                              rag_error *err)
{
    rag_str bare = rag_str_trim(rag_buf_str(&u->bare));
    rag_str gap = rag_buf_str(&u->gap);
    rag_status st = RAG_OK;
    rag_buf b;

    *out = true;
    if (rag_str_find_char(gap, '\n') != SIZE_MAX || bare.len > MAX_JUDGED_BYTES)
        return RAG_OK;
    rag_buf_init(&b, MAX_ANSWER_BYTES);
    rag_buf_adds(&b, bare);
    rag_buf_adds(&b, gap);
    rag_buf_adds(&b, next);
    TRY(rag_buf_status(&b, err));
    *out = bare.len == 0 || rag_sentence_end(rag_buf_str(&b), 0) <= bare.len;
out:
    rag_buf_dispose(&b);
    return st;
}

/* It was no end: the gap belongs to the sentence. */
static rag_status go_on(run *u, rag_error *err)
{
    rag_str gap = rag_buf_str(&u->gap);
    rag_status st = u->opts->strict ? RAG_OK : give(u, gap, err);

    rag_buf_adds(&u->sentence, gap);
    rag_buf_adds(&u->bare, gap);
    rag_buf_clear(&u->gap);
    u->ended = false;
    return st;
}

/* Takes "[12]" at the front of s; the gate lets only whole and valid ones
 * through. */
static size_t cite_mark(uint32_t *n, rag_str s)
{
    size_t close = rag_str_find_char(s, ']');
    uint64_t v;

    if (s.ptr[0] != '[' || close == SIZE_MAX || close > 8 ||
        !rag_str_u64(&v, rag_str_cut(s, 1, close)))
        return 0;
    *n = (uint32_t)v;
    return close + 1;
}

static void add_cite(run *u, uint32_t n)
{
    for (size_t i = 0; i < u->n_cites; i++)
        if (u->cites[i] == n)
            return;
    if (u->n_cites < MAX_CITES)
        u->cites[u->n_cites++] = n;
}

/* One code point or citation mark of what the gate let through. */
static rag_status step(run *u, rag_str s, size_t *used, rag_error *err)
{
    rag_status st = RAG_OK;
    uint32_t n = 0;
    size_t mark = cite_mark(&n, s);
    uint32_t cp;
    size_t len = mark != 0 ? mark : rag_utf8_decode(&cp, NULL, s);

    *used = len;
    if (mark != 0) {
        /* behind its sentence: it belongs to that one */
        if (!u->opts->strict)
            TRY(give(u, rag_buf_str(&u->gap), err));
        rag_buf_adds(&u->sentence, rag_buf_str(&u->gap));
        rag_buf_clear(&u->gap);
        add_cite(u, n);
        rag_buf_adds(&u->sentence, rag_str_cut(s, 0, len));
        return u->opts->strict ? RAG_OK : give(u, rag_str_cut(s, 0, len), err);
    }
    if (u->ended && (rag_utf8_is_space(cp) || cp == '\n')) {
        rag_buf_adds(&u->gap, rag_str_cut(s, 0, len));
        return RAG_OK;
    }
    if (u->ended && u->gap.len != 0) {
        bool ends;

        TRY(really_ends(&ends, u, rag_str_cut(s, 0, len), err));
        if (ends) {
            TRY(finish_sentence(u, err));
        } else {
            TRY(go_on(u, err));
        }
    }
    if (cp == '\n') {
        rag_buf_addc(&u->gap, '\n');
        u->ended = true;
        return RAG_OK;
    }
    u->ended = ends_sentence(cp);
    rag_buf_adds(&u->sentence, rag_str_cut(s, 0, len));
    rag_buf_adds(&u->bare, rag_str_cut(s, 0, len));
    TRY(rag_buf_status(&u->sentence, err));
    if (!u->opts->strict)
        st = give(u, rag_str_cut(s, 0, len), err);
out:
    return st;
}

static rag_status passed(void *ctx, rag_str piece, rag_error *err)
{
    run *u = ctx;

    while (piece.len != 0) {
        size_t used;
        rag_status st = step(u, piece, &used, err);

        if (st != RAG_OK)
            return st;
        piece = rag_str_cut(piece, used, piece.len);
    }
    return RAG_OK;
}

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

static rag_status answer_from_text(run *u, rag_error *err)
{
    rag_extracted list[RAG_EXTRACT_MAX];
    size_t n;
    rag_status st;
    rag_buf b;

    rag_buf_init(&b, MAX_ANSWER_BYTES);
    u->a->chat_model = RAG_STR_LIT("extract");
    TRY(rag_extract(list, &n, u->r, u->a->question, u->hits, err));
    if (n == 0) {
        u->a->status = RAG_ABSTAINED;
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t no = (uint32_t)list[i].hit + 1;
        rag_str text = passage_text(u, list[i].hit);
        rag_cite_check k = {.score = 1,
                            .verbatim = true,
                            .quote_start = list[i].start,
                            .quote_end = list[i].block_end};

        rag_buf_clear(&b);
        rag_readable_sentence(&b,
                              rag_str_cut(text, list[i].start, list[i].end));
        rag_buf_addf(&b, " [%u]", no);
        if (list[i].block_end > list[i].block) {
            rag_buf_addc(&b, '\n');
            rag_readable_block(
                &b, rag_str_cut(text, list[i].block, list[i].block_end));
        }
        TRY(rag_buf_status(&b, err));
        rag_buf_adds(&u->sentence, rag_buf_str(&b));
        add_cite(u, no);
        TRY(give(u, rag_buf_str(&b), err));
        TRY(add_citation(u, no, &k, "exact", err));
        TRY(keep_sentence(u, "supported", err));
        if (i + 1 < n)
            TRY(give(u, RAG_STR_LIT("\n"), err));
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
static rag_status chat_ended(run *u, rag_gate *gate,
                             const rag_chat_result *result, rag_status st,
                             rag_error *err)
{
    rag_answer *a = u->a;
    rag_status ended = rag_gate_end(gate, st == RAG_OK ? err : NULL);

    if (ended == RAG_OK)
        ended = finish_sentence(u, st == RAG_OK ? err : NULL);
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

static rag_status answer_from_chat(run *u, rag_chat *chat, rag_error *err)
{
    rag_prompt p;
    rag_gate *gate = NULL;
    rag_str *texts =
        rag_arena_array(&u->a->arena, u->hits->n_hits, sizeof *texts);
    rag_gate_opts g = {.passages = texts, .sink = passed, .ctx = u};
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
        texts[i] = passage_text(u, i);
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

static void run_dispose(run *u)
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

static rag_status run_ask(run *u, rag_error *err)
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
    run u = {.r = r, .opts = opts, .watch = watch};
    rag_status st;

    *out = NULL;
    rag_buf_init(&u.text, MAX_ANSWER_BYTES);
    rag_buf_init(&u.sentence, MAX_ANSWER_BYTES);
    rag_buf_init(&u.bare, MAX_ANSWER_BYTES);
    rag_buf_init(&u.gap, MAX_ANSWER_BYTES);
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

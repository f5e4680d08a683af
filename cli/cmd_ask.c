#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "lines.h"
#include "out.h"

/* questions, or piped context, on standard input */
#define MAX_STDIN_BYTES ((size_t)64 << 20)
#define MAX_PROMPT_BYTES ((size_t)128 << 20)

typedef struct flags {
    size_t k;
    const char *path;
    bool extract;
    const char *chat;
    bool no_stream;
    bool strict;
    bool dry_run;
    const char *mode;
} flags;

static flags f;

static const opt options[] = {
    {OPT_COUNT, 'k', "top", &f.k, "N",
     "passages to answer from (default: retrieve.k)"},
    {OPT_STR, 0, "path", &f.path, "GLOB", "only documents whose name matches"},
    {OPT_FLAG, 0, "extract", &f.extract, NULL,
     "no chat model: the best sentences, cited"},
    {OPT_STR, 0, "chat", &f.chat, "MODEL", "openai:NAME, ollama:NAME or none"},
    {OPT_STR, 0, "mode", &f.mode, "MODE", "hybrid (default), dense or lexical"},
    {OPT_FLAG, 0, "no-stream", &f.no_stream, NULL,
     "print the answer when it is whole"},
    {OPT_FLAG, 0, "strict", &f.strict, NULL,
     "leave out sentences that nothing supports (exit 3)"},
    {OPT_FLAG, 0, "dry-run", &f.dry_run, NULL,
     "print the prompt, send nothing"},
    OPT_END,
};

/* Who watches an answer being made. */
typedef struct show {
    cmd_run *run;
    bool text;   /* deltas to the terminal */
    bool events; /* --jsonl: one event a line */
    bool wrote;
} show;

static void event(show *s, rag_jw *w)
{
    rag_jw_end(w);
    if (out_json(s->run, w, NULL) == RAG_OK)
        term_flush(s->run->term);
    rag_jw_free(w);
}

static rag_jw *event_new(const char *name)
{
    rag_jw *w = rag_jw_new();

    if (w != NULL) {
        rag_jw_obj(w, NULL);
        rag_jw_strz(w, "event", name);
    }
    return w;
}

static void retrieved_json(rag_jw *w, const rag_hits *hits)
{
    rag_jw_array(w, "retrieved");
    for (size_t i = 0; hits != NULL && i < hits->n_hits; i++) {
        rag_jw_obj(w, NULL);
        rag_jw_int(w, "rank", hits->hits[i].rank);
        rag_jw_str(w, "chunk", hits->hits[i].chunk);
        out_name_json(w, hits->hits[i].document, hits->hits[i].document_bytes);
        rag_jw_num(w, "score", hits->hits[i].score, 6);
        out_num(w, "rerank", hits->hits[i].rerank, 6);
        rag_jw_end(w);
    }
    rag_jw_end(w);
}

static void on_retrieved(void *ctx, const rag_hits *hits)
{
    show *s = ctx;
    rag_jw *w;

    if (hits->warning != NULL)
        term_warn(s->run->term, "rag: %s", hits->warning);
    if (!s->events || (w = event_new("retrieval")) == NULL)
        return;
    out_num(w, "evidence", hits->evidence, 4);
    retrieved_json(w, hits);
    event(s, w);
}

static rag_status on_delta(void *ctx, rag_str piece, rag_error *err)
{
    show *s = ctx;
    rag_jw *w;

    (void)err;
    s->wrote = true;
    if (s->text) {
        term_text(s->run->term, piece);
        term_flush(s->run->term);
    } else if (s->events && (w = event_new("delta")) != NULL) {
        rag_jw_str(w, "text", piece);
        event(s, w);
    }
    return RAG_OK;
}

static void citation_json(rag_jw *w, const rag_citation *c)
{
    const rag_hit *h = &c->hit;
    char hex[65];

    rag_jw_int(w, "n", c->n);
    out_where_json(w, h);
    rag_jw_str(w, "quote", c->quote);
    if (c->quote_end > c->quote_start)
        out_pair(w, "quote_bytes", c->quote_start, c->quote_end);
    else
        rag_jw_null(w, "quote_bytes");
    rag_jw_strz(w, "check", c->check);
    rag_jw_bool(w, "stale", h->stale);
    rag_hash_hex(hex, h->source_sha256, 32);
    rag_jw_strz(w, "source_sha256", hex);
}

static void on_citation(void *ctx, const rag_citation *c)
{
    show *s = ctx;
    rag_jw *w;

    if (!s->events || (w = event_new("citation")) == NULL)
        return;
    citation_json(w, c);
    event(s, w);
}

static void sentence_json(rag_jw *w, const rag_sentence *s)
{
    rag_jw_str(w, "text", s->text);
    rag_jw_array(w, "citations");
    for (size_t i = 0; i < s->n_cites; i++)
        rag_jw_int(w, NULL, s->cites[i]);
    rag_jw_end(w);
    rag_jw_strz(w, "support", s->support);
}

static void usage_json(rag_jw *w, const rag_answer *a)
{
    rag_jw_int(w, "prompt_tokens", a->prompt_tokens > 0 ? a->prompt_tokens : 0);
    rag_jw_int(w, "completion_tokens",
               a->completion_tokens > 0 ? a->completion_tokens : 0);
}

static void timing_json(rag_jw *w, const rag_answer *a)
{
    rag_jw_obj(w, "timing_ms");
    rag_jw_num(w, "retrieve", a->ms_retrieve, 2);
    if (a->ms_first_token > 0)
        rag_jw_num(w, "first_token", a->ms_first_token, 1);
    else
        rag_jw_null(w, "first_token");
    rag_jw_num(w, "total", a->ms_total, 2);
    rag_jw_end(w);
}

static void answer_json(rag_jw *w, const rag_answer *a, int64_t query_no)
{
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.answer/1");
    if (query_no >= 0)
        rag_jw_int(w, "query_no", query_no);
    rag_jw_str(w, "question", a->question);
    rag_jw_null(w, "standalone_question");
    rag_jw_strz(w, "status", rag_answer_status_name(a->status));
    rag_jw_str(w, "answer", a->text);
    rag_jw_array(w, "sentences");
    for (size_t i = 0; i < a->n_sentences; i++) {
        rag_jw_obj(w, NULL);
        sentence_json(w, &a->sentences[i]);
        rag_jw_end(w);
    }
    rag_jw_end(w);
    rag_jw_array(w, "citations");
    for (size_t i = 0; i < a->n_citations; i++) {
        rag_jw_obj(w, NULL);
        citation_json(w, &a->citations[i]);
        rag_jw_end(w);
    }
    rag_jw_end(w);
    out_num(w, "evidence",
            a->retrieved != NULL ? a->retrieved->evidence : RAG_NONE, 4);
    retrieved_json(w, a->retrieved);
    rag_jw_obj(w, "model");
    rag_jw_str(w, "chat", a->chat_model);
    rag_jw_str(w, "embed", a->embed_model);
    rag_jw_end(w);
    rag_jw_obj(w, "usage");
    usage_json(w, a);
    rag_jw_end(w);
    timing_json(w, a);
    rag_jw_bool(w, "complete", a->complete);
    rag_jw_end(w);
}

static void sources_text(term *t, const rag_answer *a)
{
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 20);
    term_outz(t, "\n\nSources:\n");
    for (size_t i = 0; i < a->n_citations; i++) {
        const rag_citation *c = &a->citations[i];

        rag_buf_clear(&b);
        rag_buf_addf(&b, "  [%u] ", c->n);
        term_out(t, rag_buf_str(&b));
        rag_buf_clear(&b);
        out_place(&b, &c->hit);
        term_styled(t, TERM_PATH, rag_buf_str(&b));
        if (c->hit.n_headings != 0) {
            term_outz(t, "  ");
            term_text(t, c->hit.headings[c->hit.n_headings - 1]);
        }
        if (c->hit.stale)
            term_styled(
                t, TERM_WARN,
                RAG_STR_LIT("  (changed since it was read: rag ingest)"));
        if (strcmp(c->check, "not_found") == 0)
            term_styled(t, TERM_WARN,
                        RAG_STR_LIT("  (not found in this passage)"));
        else if (strcmp(c->check, "misattributed") == 0)
            term_styled(t, TERM_WARN,
                        RAG_STR_LIT("  (another passage says it)"));
        term_outz(t, "\n");
    }
    rag_buf_dispose(&b);
}

static size_t unsupported(const rag_answer *a)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_sentences; i++)
        if (strcmp(a->sentences[i].support, "unsupported") == 0)
            n++;
    return n;
}

static void answer_text(cmd_run *run, const rag_answer *a)
{
    size_t bad = unsupported(a);

    if (a->status == RAG_ABSTAINED) {
        if (a->retrieved->filtered_out)
            term_info(run->term, "No document matches --path %s.", f.path);
        else
            term_info(run->term, "The documents do not answer this.");
        return;
    }
    if (f.no_stream)
        term_text(run->term, a->text);
    if (a->n_citations != 0)
        sources_text(run->term, a);
    else
        term_outz(run->term, "\n");
    if (bad != 0)
        term_warn(run->term,
                  "rag: %zu of %zu sentences are not supported by what they "
                  "cite",
                  bad, a->n_sentences);
    if (a->left_out)
        term_warn(run->term, "rag: unsupported sentences were left out");
}

static void answer_events(show *s, const rag_answer *a)
{
    rag_jw *w;

    for (size_t i = 0; i < a->n_sentences; i++) {
        w = event_new("verdict");
        if (w == NULL)
            return;
        sentence_json(w, &a->sentences[i]);
        event(s, w);
    }
    w = event_new("usage");
    if (w == NULL)
        return;
    usage_json(w, a);
    event(s, w);
    w = event_new("done");
    if (w == NULL)
        return;
    rag_jw_strz(w, "schema", "rag.answer/1");
    rag_jw_strz(w, "status", rag_answer_status_name(a->status));
    timing_json(w, a);
    rag_jw_bool(w, "complete", a->complete);
    event(s, w);
}

static int code_of(const rag_answer *a)
{
    if (a->status == RAG_ABSTAINED)
        return EXIT_NOTHING;
    return a->left_out || !a->complete ? EXIT_PARTIAL : EXIT_OK;
}

/* One question; query_no < 0: the only one. */
static int one(cmd_run *run, rag *r, rag_str question, const rag_ask_opts *o,
               int64_t query_no, rag_error *err)
{
    bool json = run->global->json || query_no >= 0;
    show s = {.run = run,
              .text = !json && !run->global->jsonl && !f.no_stream,
              .events = run->global->jsonl && query_no < 0};
    rag_ask_watch w = {on_retrieved, on_delta, on_citation, &s};
    rag_answer *a = NULL;
    rag_jw *jw;
    int code;
    rag_status st = rag_ask(&a, r, question, o, &w, err);

    if (a == NULL)
        return exit_of(st);
    code = st == RAG_OK ? code_of(a) : exit_of(st);
    if (s.events) {
        answer_events(&s, a);
    } else if (json) {
        jw = rag_jw_new();
        if (jw != NULL) {
            answer_json(jw, a, query_no);
            if (out_json(run, jw, NULL) != RAG_OK)
                code = EXIT_MACHINE;
            rag_jw_free(jw);
        }
    } else if (st == RAG_OK) {
        answer_text(run, a);
    } else {
        term_outz(run->term, "\n");
    }
    if (st != RAG_OK && (json || s.events)) {
        /* the object is there, "complete": false; the reason on stderr only */
        term_warn(run->term, "rag: %s", err->msg);
        rag_error_clear(err);
    }
    if (a->why_cut != NULL)
        term_warn(run->term, "rag: the answer is not whole: %s", a->why_cut);
    term_flush(run->term);
    rag_answer_free(a);
    return code;
}

static int batch(cmd_run *run, rag *r, const rag_ask_opts *o, rag_error *err)
{
    int worst = EXIT_OK;
    bool all_nothing = true;
    int64_t no = 0;
    rag_str line;
    bool got;
    lines in;

    lines_init(&in);
    for (;; no++) {
        rag_error why = {RAG_OK, ""};
        rag_status st = lines_next(&line, &got, &in, &why);
        int code;

        if (st == RAG_E_LIMIT) { /* of this line */
            out_error_line(run, no, &why);
            all_nothing = false;
            worst = worst > EXIT_PARTIAL ? worst : EXIT_PARTIAL;
            continue;
        }
        if (st != RAG_OK)
            *err = why;
        if (st != RAG_OK || !got)
            break;
        if (rag_str_trim(line).len == 0)
            continue;
        code = one(run, r, rag_str_trim(line), o, no, &why);
        if (why.code != RAG_OK)
            out_error_line(run, no, &why);
        if (code != EXIT_NOTHING) {
            all_nothing = false;
            if (code > worst)
                worst = code;
        }
    }
    lines_dispose(&in);
    return worst == EXIT_OK && all_nothing ? EXIT_NOTHING : worst;
}

/* What was piped in besides the question: only from a pipe, so that a loop
 * over a file and /dev/null are left alone. */
static rag_status piped(rag_buf *out, cmd_run *run, rag_error *err)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    struct stat sb;

    if (fstat(STDIN_FILENO, &sb) != 0 || !S_ISFIFO(sb.st_mode))
        return RAG_OK;
    if (poll(&p, 1, 1000) == 0)
        term_info(run->term, "rag: waiting for standard input, a pipe "
                             "(< /dev/null leaves it out)");
    return lines_all(out, MAX_STDIN_BYTES, err);
}

static int ask(cmd_run *run, rag_error *err)
{
    rag_ask_opts o = {
        .extract = f.extract, .no_stream = f.no_stream, .strict = f.strict};
    rag_str question;
    rag *r = NULL;
    int code = EXIT_OK;
    rag_buf extra;
    rag_buf clean;

    if (run->argc != 1)
        return cmd_usage(run, "ask takes one question: rag ask \"QUESTION\" "
                              "(quote it), or - for one a line on stdin");
    if (!cmd_mode(&o.search.mode, run, f.mode))
        return EXIT_USAGE;
    if (f.chat != NULL &&
        (settings_flag(run->settings, "chat.model", f.chat, err) != RAG_OK ||
         cmd_configure(run, err) != RAG_OK))
        return exit_of(err->code);
    o.search.k = f.k;
    o.search.path_glob = f.path;
    o.search.check_stale = true;
    question = rag_str_trim(rag_str_of(run->argv[0]));
    if (question.len == 0)
        return cmd_usage(run, "the question is empty");
    rag_buf_init(&extra, MAX_STDIN_BYTES * 2);
    rag_buf_init(&clean, MAX_PROMPT_BYTES * 2);
    if (cmd_open(&r, run, RAG_OPEN_READ, 0, err) != RAG_OK) {
        code = exit_of(err->code);
        goto out;
    }
    term_catch_interrupt();
    if (rag_str_eqz(question, "-")) {
        code = batch(run, r, &o, err);
        goto out;
    }
    if (piped(&extra, run, err) != RAG_OK)
        goto out;
    rag_utf8_scrub(&clean, rag_str_trim(rag_buf_str(&extra)));
    o.extra_context = rag_buf_str(&clean);
    if (f.dry_run) {
        rag_buf_clear(&extra);
        rag_buf_dispose(&extra);
        rag_buf_init(&extra, MAX_PROMPT_BYTES);
        if (rag_ask_prompt(&extra, r, question, &o, err) == RAG_OK)
            term_text(run->term, rag_buf_str(&extra));
        goto out;
    }
    code = one(run, r, question, &o, -1, err);
out:
    rag_buf_dispose(&clean);
    rag_buf_dispose(&extra);
    rag_close(r);
    return code;
}

extern const cmd cmd_ask;
const cmd cmd_ask = {
    "ask",
    "\"QUESTION\"|-",
    "answer from the documents, with citations that were checked",
    "  rag ask \"how do I reset the device?\"\n"
    "  rag ask \"what changed?\" --json | jq -r .answer\n"
    "  git diff | rag ask \"does this follow the style guide?\"\n"
    "  rag ask --extract \"error 502\"\n",
    options,
    ask,
};

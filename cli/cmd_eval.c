#include <stdio.h>

#include "out.h"

typedef struct flags {
    const char *beir;
    const char *split;
    const char *mode;
    const char *cuts;
} flags;

static flags f;

static const opt options[] = {
    {OPT_STR, 0, "beir", &f.beir, "DIR",
     "a folder with corpus.jsonl, queries.jsonl and qrels.tsv or qrels/"},
    {OPT_STR, 0, "split", &f.split, "NAME", "of the judgments (default: test)"},
    {OPT_STR, 0, "mode", &f.mode, "MODE", "hybrid (default), dense or lexical"},
    {OPT_STR, 'k', "cuts", &f.cuts, "10,100",
     "the measures at 10, at 100, or both (default)"},
    OPT_END,
};

/* Which measures are asked for; false: a cut that is not measured. */
static bool cuts_of(bool *at_10, bool *at_100)
{
    rag_str rest = rag_str_of(f.cuts != NULL ? f.cuts : "10,100");

    *at_10 = *at_100 = false;
    for (;;) {
        size_t comma = rag_str_find_char(rest, ',');
        rag_str one = rag_str_trim(rag_str_cut(rest, 0, comma));

        if (rag_str_eqz(one, "10"))
            *at_10 = true;
        else if (rag_str_eqz(one, "100"))
            *at_100 = true;
        else
            return false;
        if (comma == SIZE_MAX)
            return true;
        rest = rag_str_cut(rest, comma + 1, rest.len);
    }
}

typedef struct measure {
    const char *name;  /* in JSON */
    const char *label; /* for people */
    double value;
    bool shown;
} measure;

#define N_MEASURES 5

static void measures(measure out[N_MEASURES], const rag_eval_result *r)
{
    bool at_10;
    bool at_100;

    (void)cuts_of(&at_10, &at_100);
    out[0] = (measure){"ndcg@10", "nDCG@10", r->ndcg_10, at_10};
    out[1] = (measure){"recall@10", "recall@10", r->recall_10, at_10};
    out[2] = (measure){"recall@100", "recall@100", r->recall_100, at_100};
    out[3] = (measure){"mrr@10", "MRR@10", r->mrr_10, at_10};
    out[4] = (measure){"map@100", "MAP@100", r->map_100, at_100};
}

static void on_progress(void *ctx, const rag_ingest_progress *p)
{
    cmd_run *run = ctx;

    term_progress(run->term, p);
}

static rag_status result_json(cmd_run *run, const rag_eval_result *r,
                              rag_mode mode, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    measure m[N_MEASURES];
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.eval/1");
    rag_jw_strz(w, "mode", rag_mode_name(mode));
    rag_jw_int(w, "queries", (int64_t)r->n_queries);
    rag_jw_obj(w, "metrics");
    measures(m, r);
    for (size_t i = 0; i < N_MEASURES; i++)
        if (m[i].shown)
            rag_jw_num(w, m[i].name, m[i].value, 5);
    rag_jw_end(w);
    rag_jw_num(w, "queries_per_second", r->queries_per_second, 1);
    rag_jw_obj(w, "timing_ms");
    rag_jw_num(w, "index", r->ms_index, 1);
    rag_jw_num(w, "search", r->ms_search, 1);
    rag_jw_end(w);
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static void line(term *t, const char *label, int decimals, double value)
{
    char b[64];

    if (snprintf(b, sizeof b, "%-11s %.*f\n", label, decimals, value) > 0)
        term_outz(t, b);
}

static void result_text(term *t, const rag_eval_result *r)
{
    measure m[N_MEASURES];

    measures(m, r);
    line(t, "queries", 0, (double)r->n_queries);
    for (size_t i = 0; i < N_MEASURES; i++)
        if (m[i].shown)
            line(t, m[i].label, 4, m[i].value);
    line(t, "queries/s", 1, r->queries_per_second);
}

static int run_eval(cmd_run *run, rag_error *err)
{
    rag_eval_opts o = {.dir = f.beir,
                       .split = f.split,
                       .mode = RAG_HYBRID,
                       .own_store = run->global->store != NULL,
                       .progress = on_progress,
                       .ctx = run};
    rag_eval_result r;
    bool at_10;
    bool at_100;
    rag_status st;

    if (f.beir == NULL || run->argc != 0)
        return cmd_usage(run, "eval takes --beir DIR");
    if (!cmd_mode(&o.mode, run, f.mode))
        return EXIT_USAGE;
    if (!cuts_of(&at_10, &at_100))
        return cmd_usage(run, "-k %s: measured at 10 and at 100", f.cuts);
    term_catch_interrupt();
    st = rag_eval_beir(&r, &run->config, &o, err);
    term_progress_end(run->term);
    if (st != RAG_OK)
        return exit_of(st);
    if (run->global->json || run->global->jsonl)
        return exit_of(result_json(run, &r, o.mode, err));
    result_text(run->term, &r);
    return EXIT_OK;
}

extern const cmd cmd_eval;
const cmd cmd_eval = {
    "eval",
    "--beir DIR",
    "measure retrieval",
    "  rag eval --beir scifact\n"
    "  rag eval --beir scifact --mode lexical --json\n",
    options,
    run_eval,
};

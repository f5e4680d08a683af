#include <stdio.h>

#include "out.h"

typedef struct flags {
    const char *beir;
    const char *split;
    const char *mode;
} flags;

static flags f;

static const opt options[] = {
    {OPT_STR, 0, "beir", &f.beir, "DIR",
     "a folder with corpus.jsonl, queries.jsonl and qrels.tsv or qrels/"},
    {OPT_STR, 0, "split", &f.split, "NAME", "of the judgments (default: test)"},
    {OPT_STR, 0, "mode", &f.mode, "MODE", "hybrid (default), dense or lexical"},
    OPT_END,
};

static void on_progress(void *ctx, const rag_ingest_progress *p)
{
    cmd_run *run = ctx;

    term_progress(run->term, p);
}

static rag_status result_json(cmd_run *run, const rag_eval_result *r,
                              rag_mode mode, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.eval/1");
    rag_jw_strz(w, "mode", rag_mode_name(mode));
    rag_jw_int(w, "queries", (int64_t)r->n_queries);
    rag_jw_obj(w, "metrics");
    rag_jw_num(w, "ndcg@10", r->ndcg_10, 5);
    rag_jw_num(w, "recall@10", r->recall_10, 5);
    rag_jw_num(w, "recall@100", r->recall_100, 5);
    rag_jw_num(w, "mrr@10", r->mrr_10, 5);
    rag_jw_num(w, "map@100", r->map_100, 5);
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

static void result_text(term *t, const rag_eval_result *r)
{
    char b[512];
    int n = snprintf(b, sizeof b,
                     "queries     %llu\n"
                     "nDCG@10     %.4f\n"
                     "recall@10   %.4f\n"
                     "recall@100  %.4f\n"
                     "MRR@10      %.4f\n"
                     "MAP@100     %.4f\n"
                     "queries/s   %.1f\n",
                     (unsigned long long)r->n_queries, r->ndcg_10,
                     r->recall_10, r->recall_100, r->mrr_10, r->map_100,
                     r->queries_per_second);

    if (n > 0)
        term_outz(t, b);
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
    rag_status st;

    if (f.beir == NULL || run->argc != 0)
        return cmd_usage(run, "eval takes --beir DIR");
    if (f.mode != NULL && !rag_mode_of(&o.mode, rag_str_of(f.mode)))
        return cmd_usage(run, "--mode takes hybrid, dense or lexical");
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

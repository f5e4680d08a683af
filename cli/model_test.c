#include "model_test.h"

#include <stdio.h>
#include <string.h>

#include "checks.h"

static bool is_reranker(const cmd_run *run, const char *model)
{
    rag_model_info info;

    return strncmp(model, "builtin:", 8) == 0 &&
           rag_model_show(&info, &run->config, model + 8, NULL) == RAG_OK &&
           info.labels != 0;
}

/* Makes MODEL the one of the settings; *rerank: it is a reranker. A bare name
 * is a built-in model's. */
static rag_status choose(bool *rerank, cmd_run *run, const char *model,
                         rag_error *err)
{
    char full[512];
    int n = snprintf(full, sizeof full, "%s%s",
                     strchr(model, ':') != NULL ? "" : "builtin:", model);
    rag_status st;

    if (n < 0 || (size_t)n >= sizeof full)
        return rag_fail(err, RAG_E_INVAL, "that is no model's name");
    *rerank = strncmp(full, "http:", 5) == 0 || is_reranker(run, full);
    st = settings_flag(run->settings, *rerank ? "rerank.model" : "embed.model",
                       full, err);
    return st == RAG_OK ? cmd_configure(run, err) : st;
}

static rag_status test(checks *c, const char *model, rag_error *err)
{
    const char *reranker = c->run->config.rerank_model;
    bool rerank = reranker != NULL && strcmp(reranker, "none") != 0;
    bool embed = model == NULL;
    rag_status st;

    if (model != NULL) {
        st = choose(&rerank, c->run, model, err);
        if (st != RAG_OK)
            return st;
        embed = !rerank;
    }
    TRY(checks_begin(c, "rag.modeltest/1", err));
    term_catch_interrupt();
    TRY(rag_model_test(&c->run->config, embed, rerank, checks_line, c, err));
    st = checks_end(c, err);
out:
    checks_dispose(c);
    return st;
}

int model_test(cmd_run *run, const char *model, rag_error *err)
{
    checks c = {.run = run};
    rag_status st = test(&c, model, err);

    return st != RAG_OK ? exit_of(st) : checks_exit(&c);
}

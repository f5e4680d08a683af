#include "checks.h"

#include <stdio.h>
#include <string.h>

static void line_json(checks *c, const rag_check_line *line)
{
    rag_jw_obj(c->w, NULL);
    rag_jw_strz(c->w, "state", line->state);
    rag_jw_strz(c->w, "what", line->what);
    rag_jw_strz(c->w, "detail", line->detail);
    rag_jw_strz(c->w, "mend", line->mend);
    rag_jw_end(c->w);
}

static void line_text(const checks *c, const rag_check_line *line)
{
    term *t = c->run->term;
    char head[64];
    bool ok = strcmp(line->state, "ok") == 0;
    int n = snprintf(head, sizeof head, "%-5s", line->state);

    if (n < 0)
        return;
    term_styled(t, ok ? TERM_DIM : TERM_WARN, rag_str_of(head));
    n = snprintf(head, sizeof head, "%-16s ", line->what);
    if (n > 0)
        term_styled(t, TERM_BOLD, rag_str_of(head));
    term_styled(t, TERM_PLAIN, rag_str_of(line->detail));
    term_outz(t, "\n");
    if (line->mend != NULL && !ok) {
        term_outz(t, "                      -> ");
        term_styled(t, TERM_PLAIN, rag_str_of(line->mend));
        term_outz(t, "\n");
    }
    term_flush(t);
}

rag_status checks_begin(checks *c, const char *schema, rag_error *err)
{
    if (!c->run->global->json && !c->run->global->jsonl)
        return RAG_OK;
    c->w = rag_jw_new();
    if (c->w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(c->w, NULL);
    rag_jw_strz(c->w, "schema", schema);
    rag_jw_array(c->w, "checks");
    return RAG_OK;
}

void checks_line(void *ctx, const rag_check_line *line)
{
    checks *c = ctx;

    if (strcmp(line->state, "warn") == 0)
        c->n_warn++;
    if (strcmp(line->state, "fail") == 0 && c->n_fail++ == 0)
        c->worst = line->code;
    if (c->w != NULL)
        line_json(c, line);
    else
        line_text(c, line);
}

rag_status checks_end(checks *c, rag_error *err)
{
    if (c->w == NULL)
        return RAG_OK;
    rag_jw_end(c->w);
    rag_jw_int(c->w, "warnings", c->n_warn);
    rag_jw_int(c->w, "failures", c->n_fail);
    rag_jw_end(c->w);
    return out_json(c->run, c->w, err);
}

void checks_dispose(checks *c)
{
    rag_jw_free(c->w);
    c->w = NULL;
}

int checks_exit(const checks *c)
{
    int code = exit_of(c->worst);

    if (c->n_fail == 0)
        return EXIT_OK;
    return code > EXIT_NOTHING ? code : EXIT_DAMAGED;
}

#include <stdio.h>
#include <string.h>

#include "out.h"

typedef struct flags {
    bool repair;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "repair", &f.repair, NULL,
     "mend what can be made again: counters, words index, vector index"},
    OPT_END,
};

typedef struct visit {
    cmd_run *run;
    rag_jw *w;        /* --json */
    rag_status worst; /* of the first failure */
    unsigned n_warn;
    unsigned n_fail;
} visit;

static void line_json(visit *v, const rag_check_line *line)
{
    rag_jw_obj(v->w, NULL);
    rag_jw_strz(v->w, "state", line->state);
    rag_jw_strz(v->w, "what", line->what);
    rag_jw_strz(v->w, "detail", line->detail);
    rag_jw_strz(v->w, "mend", line->mend);
    rag_jw_end(v->w);
}

static void line_text(visit *v, const rag_check_line *line)
{
    term *t = v->run->term;
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

static void on_line(void *ctx, const rag_check_line *line)
{
    visit *v = ctx;

    if (strcmp(line->state, "warn") == 0)
        v->n_warn++;
    if (strcmp(line->state, "fail") == 0) {
        if (v->n_fail++ == 0)
            v->worst = line->code;
    }
    if (v->w != NULL)
        line_json(v, line);
    else
        line_text(v, line);
}

static rag_status doctor(visit *v, rag_error *err)
{
    rag_status st;

    if (v->run->global->json || v->run->global->jsonl) {
        v->w = rag_jw_new();
        if (v->w == NULL)
            return rag_fail_nomem(err);
        rag_jw_obj(v->w, NULL);
        rag_jw_strz(v->w, "schema", "rag.doctor/1");
        rag_jw_array(v->w, "checks");
    }
    term_catch_interrupt();
    TRY(rag_doctor(&v->run->config, f.repair, on_line, v, err));
    if (v->w == NULL)
        goto out;
    rag_jw_end(v->w);
    rag_jw_int(v->w, "warnings", v->n_warn);
    rag_jw_int(v->w, "failures", v->n_fail);
    rag_jw_end(v->w);
    st = out_json(v->run, v->w, err);
out:
    rag_jw_free(v->w);
    return st;
}

static int run_doctor(cmd_run *run, rag_error *err)
{
    visit v = {.run = run};
    int code;

    if (run->argc != 0)
        return cmd_usage(run, "doctor takes no argument");
    if (doctor(&v, err) != RAG_OK)
        return exit_of(err->code);
    if (v.n_fail == 0)
        return EXIT_OK;
    code = exit_of(v.worst);
    return code > EXIT_NOTHING ? code : EXIT_DAMAGED;
}

extern const cmd cmd_doctor;
const cmd cmd_doctor = {
    "doctor",
    "",
    "check everything, mend",
    "  rag doctor\n"
    "  rag doctor --repair\n",
    options,
    run_doctor,
};

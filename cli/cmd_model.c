#include <stdio.h>
#include <string.h>

#include "model_test.h"
#include "out.h"

static rag_model_add_opts f;

static const opt options[] = {
    {OPT_STR, 0, "name", &f.name, "NAME",
     "add: what to call it (default: from the file's or folder's name)"},
    {OPT_STR, 0, "query-prefix", &f.query_prefix, "TEXT",
     "add: put in front of questions (default: as the model's files say)"},
    {OPT_STR, 0, "passage-prefix", &f.passage_prefix, "TEXT",
     "add: put in front of passages"},
    {OPT_STR, 0, "pooling", &f.pooling, "KIND",
     "add: mean, cls, last or max (default: as the model's files say)"},
    OPT_END,
};

static void label_names_json(rag_jw *w, const char *names)
{
    rag_jw_array(w, "label_names");
    while (*names != '\0') {
        size_t n = strcspn(names, "\n");

        rag_jw_str(w, NULL, rag_str_n(names, n));
        names += n + (names[n] == '\n');
    }
    rag_jw_end(w);
}

static void model_json(rag_jw *w, const rag_model_info *m)
{
    rag_jw_strz(w, "name", m->name);
    rag_jw_bool(w, "default", m->is_default);
    rag_jw_strz(w, "kind", m->kind);
    rag_jw_int(w, "labels", (int64_t)m->labels);
    if (m->label_names[0] != '\0')
        label_names_json(w, m->label_names);
    rag_jw_int(w, "dims", (int64_t)m->dims);
    rag_jw_int(w, "max_tokens", (int64_t)m->max_tokens);
    rag_jw_int(w, "bytes", (int64_t)m->bytes);
    rag_jw_strz(w, "query_prefix", m->query_prefix);
    rag_jw_strz(w, "passage_prefix", m->passage_prefix);
    rag_jw_strz(w, "licence", m->licence);
    rag_jw_strz(w, "source", m->source);
    rag_jw_strz(w, "sha256", m->sha256_hex);
    rag_jw_strz(w, "path", m->path);
}

static rag_status one_json(cmd_run *run, const rag_model_info *m,
                           rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.model/1");
    model_json(w, m);
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static void row(term *t, const char *name, const char *value)
{
    char head[32];

    if (value[0] == '\0' || snprintf(head, sizeof head, "%-10s ", name) < 0)
        return;
    term_styled(t, TERM_DIM, rag_str_of(head));
    term_styled(t, TERM_PLAIN, rag_str_of(value));
    term_outz(t, "\n");
}

/* A prefix ends in a space as a rule: quotes show it. */
static void quoted(term *t, const char *name, const char *text)
{
    char b[300];

    if (text[0] != '\0' && snprintf(b, sizeof b, "\"%s\"", text) > 0)
        row(t, name, b);
}

static void labels(term *t, const char *names)
{
    char b[sizeof((rag_model_info *)NULL)->label_names];

    (void)snprintf(b, sizeof b, "%s", names); /* fits */
    for (char *c = strchr(b, '\n'); c != NULL; c = strchr(c, '\n'))
        *c = '/';
    row(t, "labels", b);
}

static rag_status show_one(cmd_run *run, const rag_model_info *m,
                           rag_error *err)
{
    char b[128];
    int n;

    if (run->global->json || run->global->jsonl)
        return one_json(run, m, err);
    n = snprintf(b, sizeof b, "builtin:%s%s", m->name,
                 m->is_default ? " (default)" : "");
    if (n > 0)
        row(run->term, "model", b);
    n = snprintf(b, sizeof b, "%zu dimensions, %zu tokens, %.0f MB", m->dims,
                 m->max_tokens, (double)m->bytes / 1e6);
    if (n > 0)
        row(run->term, "size", b);
    row(run->term, "kind", m->kind);
    labels(run->term, m->label_names);
    quoted(run->term, "query", m->query_prefix);
    quoted(run->term, "passage", m->passage_prefix);
    row(run->term, "licence", m->licence);
    row(run->term, "source", m->source);
    row(run->term, "sha256", m->sha256_hex);
    row(run->term, "path", m->path);
    return RAG_OK;
}

typedef struct lister {
    cmd_run *run;
    rag_jw *w; /* --json */
    size_t n;
} lister;

static void on_model(void *ctx, const rag_model_info *m)
{
    lister *l = ctx;
    char line[512];
    char what[sizeof m->source];
    int n = snprintf(what, sizeof what, "%zu dimensions", m->dims);
    const char *more = m->licence;

    if (m->labels != 0)
        n = snprintf(what, sizeof what, "cross-encoder, %zu label%s", m->labels,
                     m->labels == 1 ? "" : "s");
    else if (m->dims == 0)
        n = snprintf(what, sizeof what, "%s", m->source); /* why not */
    l->n++;
    if (l->w != NULL) {
        rag_jw_obj(l->w, NULL);
        model_json(l->w, m);
        rag_jw_end(l->w);
    } else if (n > 0 && snprintf(line, sizeof line, "%c builtin:%s  %s%s%s",
                                 m->is_default ? '*' : ' ', m->name, what,
                                 more[0] != '\0' ? "  " : "", more) > 0) {
        term_styled(l->run->term, TERM_PLAIN, rag_str_of(line));
        term_outz(l->run->term, "\n");
    }
}

static rag_status list(cmd_run *run, rag_error *err)
{
    lister l = {.run = run};
    rag_status st;

    if (run->global->json || run->global->jsonl) {
        l.w = rag_jw_new();
        if (l.w == NULL)
            return rag_fail_nomem(err);
        rag_jw_obj(l.w, NULL);
        rag_jw_strz(l.w, "schema", "rag.models/1");
        rag_jw_array(l.w, "models");
    }
    TRY(rag_model_list(&run->config, on_model, &l, err));
    if (l.w != NULL) {
        rag_jw_end(l.w);
        rag_jw_end(l.w);
        st = out_json(run, l.w, err);
    } else if (l.n == 0) {
        term_info(run->term, "rag: no built-in model: 'rag model add FILE' "
                             "adds one");
    }
out:
    rag_jw_free(l.w);
    return st;
}

static int wrong(const cmd_run *run)
{
    return cmd_usage(run, "model takes add PATH [--name NAME], ls, show "
                          "[NAME], test [MODEL], default [NAME] or rm NAME");
}

static rag_status set_default(cmd_run *run, const char *name, rag_error *err)
{
    rag_model_info m;
    rag_status st = RAG_OK;

    if (name != NULL)
        st = rag_model_set_default(&run->config, name, err);
    if (st == RAG_OK)
        st = rag_model_show(&m, &run->config, name, err);
    if (st != RAG_OK)
        return st;
    if (run->global->json || run->global->jsonl)
        return one_json(run, &m, err);
    term_outz(run->term, "builtin:");
    term_outz(run->term, m.name);
    term_outz(run->term, "\n");
    return RAG_OK;
}

static rag_status add(cmd_run *run, const char *path, rag_error *err)
{
    rag_model_info m;
    rag_status st;

    term_catch_interrupt(); /* nothing half written stays behind */
    st = rag_model_add(&m, &run->config, path, &f, err);
    if (st == RAG_OK)
        st = show_one(run, &m, err);
    /* a model's file that is too large is as useless as a damaged one */
    return st == RAG_E_LIMIT ? RAG_E_FORMAT : st;
}

/* A damaged one can be removed, too. */
static rag_status take_out(cmd_run *run, const char *name, rag_error *err)
{
    rag_model_info m;
    rag_status st = rag_model_show(&m, &run->config, name, err);

    if (st != RAG_OK && st != RAG_E_CORRUPT && st != RAG_E_FORMAT)
        return st;
    if (st != RAG_OK) { /* what there is to tell of it */
        memset(&m, 0, sizeof m);
        (void)snprintf(m.name, sizeof m.name, "%s", name);
    }
    rag_error_clear(err);
    st = rag_model_remove(&run->config, name, err);
    if (st != RAG_OK)
        return st;
    term_info(run->term, "removed builtin:%s%s", name,
              m.is_default ? ", which was the default" : "");
    if (run->global->json || run->global->jsonl)
        return one_json(run, &m, err);
    return RAG_OK;
}

static bool has_add_options(void)
{
    return f.name != NULL || f.query_prefix != NULL ||
           f.passage_prefix != NULL || f.pooling != NULL;
}

/* "builtin:e5-small" is a model's name, too. */
static const char *bare(const char *name)
{
    return name != NULL && strncmp(name, "builtin:", 8) == 0 ? name + 8 : name;
}

static int run_model(cmd_run *run, rag_error *err)
{
    const char *verb = run->argc > 0 ? run->argv[0] : "ls";
    const char *arg = run->argc > 1 ? bare(run->argv[1]) : NULL;
    rag_model_info m;
    rag_status st;

    if (run->argc > 2 || (strcmp(verb, "add") != 0 && has_add_options()))
        return wrong(run);
    if (strcmp(verb, "test") == 0)
        return model_test(run, run->argc > 1 ? run->argv[1] : NULL, err);
    if (strcmp(verb, "add") == 0 && arg != NULL) {
        f.name = bare(f.name);
        st = add(run, run->argv[1], err);
    } else if (strcmp(verb, "ls") == 0 && arg == NULL) {
        st = list(run, err);
    } else if (strcmp(verb, "show") == 0) {
        st = rag_model_show(&m, &run->config, arg, err);
        if (st == RAG_OK)
            st = show_one(run, &m, err);
    } else if (strcmp(verb, "default") == 0) {
        st = set_default(run, arg, err);
    } else if (strcmp(verb, "rm") == 0 && arg != NULL) {
        st = take_out(run, arg, err);
    } else {
        return wrong(run);
    }
    if (st != RAG_E_FORMAT)
        return exit_of(st);
    (void)cmd_fail_as(run, err, EXIT_DAMAGED); /* not a file that was read */
    rag_error_clear(err);
    return EXIT_DAMAGED;
}

extern const cmd cmd_model;
const cmd cmd_model = {
    "model",
    "add PATH | ls | show [NAME] | test [MODEL] | default [NAME] | rm NAME",
    "built-in models",
    "  rag model add e5-small-q4.bin --name e5-small\n"
    "  rag model add bge-small-en-v1.5/\n"
    "  rag model ls\n"
    "  rag model default e5-small\n"
    "  rag model test openai:NAME\n",
    options,
    run_model,
};

#include <stdio.h>
#include <string.h>

#include "out.h"

typedef struct flags {
    bool markdown;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "markdown", &f.markdown, NULL,
     "the table of settings, as docs/settings.md has it"},
    OPT_END,
};

static void value_json(rag_jw *w, const char *key, setting_kind kind,
                       const char *v)
{
    uint64_t u;
    double d;

    if (v == NULL)
        rag_jw_null(w, key);
    else if ((kind == SET_SIZE || kind == SET_COUNT) &&
             rag_str_u64(&u, rag_str_of(v)))
        rag_jw_int(w, key, (int64_t)u);
    else if (kind == SET_NUM && rag_str_double(&d, rag_str_of(v)))
        rag_jw_num(w, key, d, 6);
    else if (kind == SET_BOOL)
        rag_jw_bool(w, key, settings_truth(v));
    else
        rag_jw_strz(w, key, v);
}

static void setting_json(rag_jw *w, const settings *s, size_t i)
{
    const setting *t = &settings_table[i];

    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "name", t->name);
    value_json(w, "value", t->kind, settings_get(s, i));
    rag_jw_strz(w, "origin", settings_origin(s, i));
    value_json(w, "default", t->kind, t->def);
    rag_jw_strz(w, "env", t->env);
    rag_jw_bool(w, "safe", t->safe);
    rag_jw_strz(w, "help", t->help);
    rag_jw_end(w);
}

static rag_status all_json(cmd_run *run, rag_error *err)
{
    const settings *s = run->settings;
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.config/1");
    rag_jw_strz(w, "store", settings_store(s));
    rag_jw_strz(w, "store_origin", settings_store_origin(s));
    rag_jw_strz(w, "user_file", settings_user_file(s));
    rag_jw_strz(w, "project_file", settings_project_file(s));
    rag_jw_strz(w, "left_out", settings_untrusted(s));
    rag_jw_array(w, "settings");
    for (size_t i = 0; i < settings_count; i++)
        setting_json(w, s, i);
    rag_jw_end(w);
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static void all_text(cmd_run *run)
{
    const settings *s = run->settings;
    term *t = run->term;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 16);
    rag_buf_addf(&b, "# store = %s (%s)\n",
                 settings_store(s) != NULL ? settings_store(s) : "",
                 settings_store(s) != NULL ? settings_store_origin(s)
                                           : settings_no_store(s));
    term_styled(t, TERM_DIM, rag_str_cut(rag_buf_str(&b), 0, b.len - 1));
    term_outz(t, "\n");
    for (size_t i = 0; i < settings_count; i++) {
        const char *v = settings_get(s, i);

        rag_buf_clear(&b);
        rag_buf_addf(&b, "%s =%s%s", settings_table[i].name,
                     v != NULL ? " " : "", v != NULL ? v : "");
        term_styled(t, TERM_PLAIN, rag_buf_str(&b));
        rag_buf_clear(&b);
        for (size_t n = strlen(settings_table[i].name) + 2 +
                        (v != NULL ? strlen(v) + 1 : 0);
             n < 36; n++)
            rag_buf_addc(&b, ' ');
        rag_buf_addf(&b, "  # %s",
                     v != NULL ? settings_origin(s, i) : "not set");
        term_styled(t, TERM_DIM, rag_buf_str(&b));
        term_outz(t, "\n");
    }
    rag_buf_dispose(&b);
}

static void all_markdown(cmd_run *run)
{
    term *t = run->term;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 16);
    rag_buf_addz(&b, "| setting | variable | default | in an untrusted project "
                     "file | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < settings_count; i++) {
        const setting *e = &settings_table[i];

        rag_buf_addf(&b, "| `%s` | `%s` | %s%s%s | %s | %s |\n", e->name,
                     e->env, e->def != NULL ? "`" : "",
                     e->def != NULL ? e->def : "–", e->def != NULL ? "`" : "",
                     !e->safe                              ? "no"
                     : strcmp(e->name, "embed.model") == 0 ? "local models"
                                                           : "yes",
                     e->help);
    }
    term_out(t, rag_buf_str(&b));
    rag_buf_dispose(&b);
}

static int get(cmd_run *run, const char *name)
{
    size_t i = settings_find(name);
    const char *v;

    if (i == settings_count)
        return cmd_usage(run, "no setting '%s' (rag config lists them)", name);
    v = settings_get(run->settings, i);
    if (v == NULL)
        return EXIT_NOTHING;
    term_styled(run->term, TERM_PLAIN, rag_str_of(v));
    term_outz(run->term, "\n");
    return EXIT_OK;
}

/* A value that something nearer overrides does nothing: say so. */
static void say_shadowed(cmd_run *run, const char *name)
{
    const char *from = settings_origin(run->settings, settings_find(name));
    const char *project = settings_project_file(run->settings);

    if (strncmp(from, "environment", 11) == 0 ||
        (project != NULL && strcmp(from, project) == 0))
        term_info(run->term, "rag: %s overrides it here: %s", from,
                  settings_get(run->settings, settings_find(name)));
}

static int set(cmd_run *run, const char *name, const char *value,
               rag_error *err)
{
    if (settings_write(run->settings, name, value, err) != RAG_OK)
        return exit_of(err->code);
    term_info(run->term, "%s %s in %s", name,
              value != NULL ? "set" : "taken out",
              settings_user_file(run->settings));
    say_shadowed(run, name);
    return EXIT_OK;
}

static int trust(cmd_run *run, rag_error *err)
{
    if (settings_trust(run->settings, err) != RAG_OK)
        return exit_of(err->code);
    term_info(run->term, "trusted as it is now: %s",
              settings_project_file(run->settings));
    return EXIT_OK;
}

static int run_config(cmd_run *run, rag_error *err)
{
    const char *verb = run->argc > 0 ? run->argv[0] : "";

    if (run->argc == 0 && f.markdown) {
        all_markdown(run);
        return EXIT_OK;
    }
    if (run->argc == 0 || (run->argc == 1 && strcmp(verb, "ls") == 0)) {
        if (run->global->json || run->global->jsonl)
            return exit_of(all_json(run, err));
        all_text(run);
        return EXIT_OK;
    }
    if (strcmp(verb, "get") == 0 && run->argc == 2)
        return get(run, run->argv[1]);
    if (strcmp(verb, "set") == 0 && run->argc == 3)
        return set(run, run->argv[1], run->argv[2], err);
    if (strcmp(verb, "unset") == 0 && run->argc == 2)
        return set(run, run->argv[1], NULL, err);
    if (strcmp(verb, "trust") == 0 && run->argc == 1)
        return trust(run, err);
    return cmd_usage(run, "config takes get NAME, set NAME VALUE, unset NAME, "
                          "trust, or nothing (lists all)");
}

extern const cmd cmd_config;
const cmd cmd_config = {
    "config",
    "[get NAME | set NAME VALUE | unset NAME | trust]",
    "settings and where each comes from",
    "  rag config\n"
    "  rag config set chat.model ollama:qwen2.5\n"
    "  rag config trust               # this folder's .rag/config\n",
    options,
    run_config,
};

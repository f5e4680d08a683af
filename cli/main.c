#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd.h"

static cmd_global global;

static const opt global_table[] = {
    {OPT_STR, 0, "store", &global.store, "DIR",
     "the store (otherwise RAG_STORE, the nearest .rag/, or the user's own)"},
    {OPT_FLAG, 0, "json", &global.json, NULL, "one JSON document on stdout"},
    {OPT_FLAG, 0, "jsonl", &global.jsonl, NULL, "one JSON object a line"},
    {OPT_FLAG, 'q', "quiet", &global.quiet, NULL, "results and errors only"},
    {OPT_FLAG, 'v', "verbose", &global.verbose, NULL, "say more, on stderr"},
    {OPT_STR, 0, "color", &global.color, "WHEN", "auto, always or never"},
    {OPT_FLAG, 'h', "help", &global.help, NULL, "this text"},
    OPT_END,
};

const opt *cmd_global_options(void)
{
    return global_table;
}

int exit_of(rag_status st)
{
    switch (st) {
    case RAG_OK:
        return EXIT_OK;
    case RAG_E_INVAL:
    case RAG_E_MISMATCH:
    case RAG_E_UNSUPPORTED:
    case RAG_E_NOTFOUND: /* a file or model that somebody named */
        return EXIT_USAGE;
    case RAG_E_FORMAT:
    case RAG_E_LIMIT:
    case RAG_E_PROTECTED:
    case RAG_E_NOTEXT:
    case RAG_E_EMPTY:
        return EXIT_PARTIAL;
    case RAG_E_AUTH:
        return EXIT_KEY;
    case RAG_E_NET:
    case RAG_E_REMOTE:
        return EXIT_ENDPOINT;
    case RAG_E_BUSY:
        return EXIT_BUSY;
    case RAG_E_CORRUPT:
    case RAG_E_DB:
    case RAG_E_INDEX:
        return EXIT_DAMAGED;
    case RAG_E_NOMEM:
    case RAG_E_IO:
        return EXIT_MACHINE;
    case RAG_E_CANCELLED:
        return EXIT_INTERRUPTED;
    }
    return EXIT_MACHINE;
}

/* What to try next, by the kind of failure; NULL: the message says it. */
static const char *hint_of(int exit)
{
    switch (exit) {
    case EXIT_KEY:
        return "'rag config' shows which variable the key comes from "
               "(embed.key_env, chat.key_env, rerank.key_env)";
    case EXIT_ENDPOINT:
        return "'rag doctor' asks the endpoints";
    case EXIT_BUSY:
        return "try again later, or with --wait SECS";
    case EXIT_DAMAGED:
        return "'rag doctor' says what is wrong, 'rag doctor --repair' mends "
               "what can be made again";
    default:
        return NULL;
    }
}

static int tell_error(const cmd_run *run, const char *code, int exit,
                      const char *msg)
{
    rag_jw *w;
    rag_buf b;

    term_warn(run->term, "rag: %s", msg);
    if (!run->global->json && !run->global->jsonl)
        return exit;
    w = rag_jw_new();
    if (w == NULL)
        return exit;
    rag_buf_init(&b, 1 << 16);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.error/1");
    rag_jw_obj(w, "error");
    rag_jw_strz(w, "code", code);
    rag_jw_int(w, "exit", exit);
    rag_jw_strz(w, "message", msg);
    rag_jw_strz(w, "hint", hint_of(exit));
    rag_jw_end(w);
    rag_jw_end(w);
    if (rag_jw_finish(&b, w, false, NULL) == RAG_OK) {
        term_out(run->term, rag_buf_str(&b));
        term_outz(run->term, "\n");
    }
    rag_buf_dispose(&b);
    rag_jw_free(w);
    return exit;
}

int cmd_fail(const cmd_run *run, const rag_error *err)
{
    return cmd_fail_as(run, err, exit_of(err->code));
}

int cmd_fail_as(const cmd_run *run, const rag_error *err, int exit)
{
    return tell_error(run, rag_status_name(err->code), exit, err->msg);
}

int cmd_usage(const cmd_run *run, const char *fmt, ...)
{
    char msg[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return tell_error(run, "E_USAGE", EXIT_USAGE, n < 0 ? "usage" : msg);
}

bool cmd_mode(rag_mode *out, const cmd_run *run, const char *given)
{
    if (given == NULL || rag_mode_of(out, rag_str_of(given)))
        return true;
    (void)cmd_usage(run, "--mode takes hybrid, dense or lexical");
    return false;
}

rag_status cmd_configure(cmd_run *run, rag_error *err)
{
    rag_status st = settings_config(&run->config, run->settings, err);

    run->config.cancelled = term_interrupted;
    return st;
}

rag_status cmd_need_store(const cmd_run *run, rag_error *err)
{
    if (settings_store(run->settings) != NULL)
        return RAG_OK;
    return rag_fail(err, RAG_E_INVAL, "%s", settings_no_store(run->settings));
}

rag_status cmd_open(rag **out, cmd_run *run, rag_open_mode mode, size_t wait_s,
                    rag_error *err)
{
    const char *store = settings_store(run->settings);
    bool shared = settings_store_is_shared_default(run->settings);
    rag_status st = cmd_need_store(run, err);

    if (st == RAG_OK)
        st = rag_open(out, &run->config, mode, (unsigned)wait_s * 1000, err);
    if (st != RAG_E_NOTFOUND)
        return st;
    if (run->global->store != NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "no store at %s yet: make one with 'rag ingest --store "
                        "%s FOLDER'",
                        store, run->global->store);
    return rag_fail(err, RAG_E_INVAL,
                    "no store at %s yet: make one with 'rag ingest FOLDER'%s",
                    store,
                    shared ? " ('rag ingest --init FOLDER': for this folder "
                             "alone)"
                           : "");
}

const cmd *cmd_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

void cmd_help(rag_buf *out, const cmd *c, const opt *global_options)
{
    rag_buf_addf(out, "usage: rag %s [OPTION]... %s\n%s\n", c->name, c->args,
                 c->summary);
    if (c->options != NULL && c->options->name != NULL) {
        rag_buf_addz(out, "\noptions:\n");
        opt_help(out, c->options);
    }
    rag_buf_addz(out, "\nfor every command:\n");
    opt_help(out, global_options);
    if (c->examples != NULL)
        rag_buf_addf(out, "\nexamples:\n%s", c->examples);
}

void cmd_help_all(rag_buf *out, const opt *global_options)
{
    rag_buf_addz(out, "usage: rag COMMAND [OPTION]... [ARGUMENT]...\n"
                      "Answers questions from your own documents, with "
                      "citations that were checked.\n\ncommands:\n");
    for (size_t i = 0; i < n_commands; i++)
        rag_buf_addf(out, "  %-10s %s\n", commands[i]->name,
                     commands[i]->summary);
    rag_buf_addz(out, "\nfor every command:\n");
    opt_help(out, global_options);
    rag_buf_addz(out,
                 "\nexamples:\n"
                 "  rag ingest ./manuals\n"
                 "  rag ask \"how do I reset the device?\"\n"
                 "  rag search \"error 502\" --json | jq '.hits[].document'\n"
                 "\n'rag help COMMAND' says more.\n");
}

static int show_help(const cmd_run *run, const cmd *c)
{
    rag_buf b;

    rag_buf_init(&b, 1 << 20);
    if (c != NULL)
        cmd_help(&b, c, global_table);
    else
        cmd_help_all(&b, global_table);
    term_out(run->term, rag_buf_str(&b));
    rag_buf_dispose(&b);
    return EXIT_OK;
}

static void on_log(void *ctx, rag_log_level level, const char *msg)
{
    term *t = ctx;

    if (level >= RAG_LOG_WARN)
        term_warn(t, "rag: %s", msg);
    else
        term_verbose(t, "rag: %s", msg);
}

int cmd_unknown(const cmd_run *run, const char *name)
{
    const char *names[64];
    const char *near;
    size_t n = 0;

    for (size_t i = 0; i < n_commands && n < 64; i++)
        names[n++] = commands[i]->name;
    near = opt_nearest(name, names, n);
    if (near != NULL)
        return cmd_usage(run, "no command '%s', did you mean '%s'?", name,
                         near);
    return cmd_usage(run, "no command '%s' (see rag help)", name);
}

/* The command's word is the first that is no option; everything else is the
 * command's. */
static int command_at(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0')
            return i;
        if (strcmp(argv[i], "--store") == 0 || strcmp(argv[i], "--color") == 0)
            i++;
    }
    return 0;
}

static int run_command(cmd_run *run, const cmd *c, int argc, char **argv,
                       rag_error *err)
{
    rag_status st;
    int code;

    st = opt_parse(&run->argc, argc, argv, c->options, global_table, err);
    run->argv = argv;
    if (!term_init(run->term, global.color, global.quiet, global.verbose))
        return cmd_usage(run, "--color takes auto, always or never");
    if (st != RAG_OK)
        return cmd_fail(run, err);
    if (global.help)
        return show_help(run, c);
    st = settings_load(&run->settings, global.store, err);
    if (st == RAG_OK)
        st = cmd_configure(run, err);
    if (st != RAG_OK)
        return cmd_fail(run, err);
    if (settings_untrusted(run->settings) != NULL)
        term_info(run->term, "rag: %s: left out until 'rag config trust': %s",
                  settings_project_file(run->settings),
                  settings_untrusted(run->settings));
    rag_error_clear(err);
    code = c->run(run, err);
    if (err->code != RAG_OK)
        code = cmd_fail(run, err);
    settings_free(run->settings);
    return code;
}

/* A closed standard descriptor must not become a database's. */
static void fill_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

/* Wrong usage is told as JSON, too, wherever --json stands. */
static void look_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            global.json = true;
        if (strcmp(argv[i], "--jsonl") == 0)
            global.jsonl = true;
    }
}

int main(int argc, char **argv)
{
    term t;
    cmd_run run = {.global = &global, .term = &t};
    rag_error err = {RAG_OK, ""};
    const cmd *c;
    int at;
    int code;

    fill_descriptors();
    (void)term_init(&t, NULL, false, false);
    (void)signal(SIGPIPE, SIG_IGN);
    rag_log_to(on_log, &t, RAG_LOG_DEBUG);
    at = command_at(argc, argv);
    look_for_json(argc, argv);
    if (at == 0) {
        int n_args;

        for (int i = 1; i < argc; i++)
            if (strcmp(argv[i], "--version") == 0 ||
                strcmp(argv[i], "-V") == 0) {
                term_outz(&t, "rag " RAG_VERSION "\n");
                return term_finish(&t, EXIT_OK);
            }
        if (opt_parse(&n_args, argc, argv, NULL, global_table, &err) != RAG_OK)
            return term_finish(&t, cmd_fail(&run, &err));
        (void)show_help(&run, NULL);
        return term_finish(&t, global.help ? EXIT_OK : EXIT_USAGE);
    }
    c = cmd_find(argv[at]);
    if (c == NULL)
        return term_finish(&t, cmd_unknown(&run, argv[at]));
    /* the command's word goes, its options may stand on either side */
    for (int i = at; i > 0; i--)
        argv[i] = argv[i - 1];
    code = run_command(&run, c, argc - 1, argv + 1, &err);
    return term_finish(&t, code);
}

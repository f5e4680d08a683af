#include <string.h>

#include "cmd.h"

typedef struct flags {
    bool man;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "man", &f.man, NULL, "the manual page rag(1), in roff"},
    OPT_END,
};

/* Text in roff: a leading dot or quote is a request, a backslash an escape, a
 * hyphen a minus. */
static void roff(rag_buf *out, const char *text)
{
    bool line_start = true;

    for (const char *p = text; *p != '\0'; p++) {
        if (line_start && (*p == '.' || *p == '\''))
            rag_buf_addz(out, "\\&");
        if (*p == '\\')
            rag_buf_addz(out, "\\e");
        else if (*p == '-')
            rag_buf_addz(out, "\\-");
        else
            rag_buf_addc(out, *p);
        line_start = *p == '\n';
    }
}

static void man_options(rag_buf *out, const opt *table)
{
    for (; table != NULL && table->name != NULL; table++) {
        rag_buf_addz(out, ".TP\n\\fB");
        if (table->letter != 0) {
            rag_buf_addf(out, "\\-%c\\fR, \\fB", table->letter);
        }
        rag_buf_addz(out, "\\-\\-");
        roff(out, table->name);
        rag_buf_addz(out, "\\fR");
        if (table->placeholder != NULL) {
            rag_buf_addz(out, " \\fI");
            roff(out, table->placeholder);
            rag_buf_addz(out, "\\fR");
        }
        rag_buf_addc(out, '\n');
        roff(out, table->help);
        rag_buf_addc(out, '\n');
    }
}

static void man_command(rag_buf *out, const cmd *c)
{
    rag_buf_addz(out, ".SS rag ");
    roff(out, c->name);
    rag_buf_addc(out, ' ');
    roff(out, c->args);
    rag_buf_addc(out, '\n');
    roff(out, c->summary);
    rag_buf_addz(out, "\n");
    man_options(out, c->options);
    if (c->examples != NULL) {
        rag_buf_addz(out, ".PP\n.nf\n");
        roff(out, c->examples);
        rag_buf_addz(out, ".fi\n");
    }
}

static void man(rag_buf *out)
{
    static const struct {
        const char *code;
        const char *text;
    } exits[] = {
        {"0", "answered, found, or all done"},
        {"1", "no answer, or nothing found"},
        {"2", "wrong usage or configuration, or no store yet"},
        {"3", "partial: some files could not be read; the rest is done"},
        {"4", "key missing or refused"},
        {"5", "a model endpoint failed, timed out or broke off"},
        {"6", "the store is busy"},
        {"7", "the store or a model file is damaged or of another version"},
        {"8", "this machine: disk full, no permission, no memory"},
        {"130, 141", "interrupted; the reader of the pipe has gone"},
    };

    rag_buf_addz(out, ".TH RAG 1 \"\" \"rag ");
    rag_buf_addz(out, rag_version());
    rag_buf_addz(out, "\" \"User Commands\"\n.SH NAME\nrag \\- answers "
                      "questions from your own documents\n"
                      ".SH SYNOPSIS\n.B rag\n\\fICOMMAND\\fR "
                      "[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
                      ".SH DESCRIPTION\nMakes documents searchable and answers "
                      "questions from them, with citations that were checked.\n"
                      ".SH COMMANDS\n");
    for (size_t i = 0; i < n_commands; i++)
        man_command(out, commands[i]);
    rag_buf_addz(out, ".SH OPTIONS OF EVERY COMMAND\n");
    man_options(out, cmd_global_options());
    rag_buf_addz(out, ".SH SETTINGS\nFlags, then the environment, then the "
                      "project file (\\fI.rag/config\\fR), then the user file "
                      "(\\fI$XDG_CONFIG_HOME/rag/config\\fR).\n");
    for (size_t i = 0; i < settings_count; i++) {
        rag_buf_addz(out, ".TP\n\\fB");
        roff(out, settings_table[i].name);
        rag_buf_addf(out, "\\fR (%s)\n", settings_table[i].env);
        roff(out, settings_table[i].help);
        rag_buf_addc(out, '\n');
    }
    rag_buf_addz(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        rag_buf_addf(out, ".TP\n.B %s\n%s\n", exits[i].code, exits[i].text);
}

static int run_help(cmd_run *run, rag_error *err)
{
    const cmd *c = NULL;
    rag_status st;
    rag_buf b;

    if (run->argc > 1 || (f.man && run->argc != 0))
        return cmd_usage(run, "help takes one command");
    if (run->argc == 1) {
        c = cmd_find(run->argv[0]);
        if (c == NULL)
            return cmd_unknown(run, run->argv[0]);
    }
    rag_buf_init(&b, (size_t)1 << 20);
    if (f.man)
        man(&b);
    else if (c != NULL)
        cmd_help(&b, c, cmd_global_options());
    else
        cmd_help_all(&b, cmd_global_options());
    st = rag_buf_status(&b, err);
    if (st == RAG_OK)
        term_out(run->term, rag_buf_str(&b));
    rag_buf_dispose(&b);
    return exit_of(st);
}

extern const cmd cmd_help_command;
const cmd cmd_help_command = {
    "help",
    "[COMMAND]",
    "the commands, or the options of one",
    "  rag help search\n",
    options,
    run_help,
};

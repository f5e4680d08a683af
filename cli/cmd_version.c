#include <stdio.h>

#include "out.h"

typedef struct flags {
    bool build;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "build", &f.build, NULL,
     "libraries, readers, word rules and the CPU tier in use"},
    OPT_END,
};

static void part_text(void *ctx, const char *part, const char *version)
{
    term *t = ctx;
    char head[64];

    if (snprintf(head, sizeof head, "%-12s ", part) < 0)
        return;
    term_outz(t, head);
    term_styled(t, TERM_PLAIN, rag_str_of(version));
    term_outz(t, "\n");
}

static void part_json(void *ctx, const char *part, const char *version)
{
    rag_jw *w = ctx;

    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "part", part);
    rag_jw_strz(w, "version", version);
    rag_jw_end(w);
}

static rag_status version_json(cmd_run *run, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.version/1");
    rag_jw_strz(w, "version", rag_version());
    if (f.build) {
        rag_jw_array(w, "build");
        rag_version_build(part_json, w);
        rag_jw_end(w);
    }
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static int run_version(cmd_run *run, rag_error *err)
{
    if (run->argc != 0)
        return cmd_usage(run, "version takes no argument");
    if (run->global->json || run->global->jsonl)
        return exit_of(version_json(run, err));
    if (f.build) {
        rag_version_build(part_text, run->term);
    } else {
        term_outz(run->term, "rag ");
        term_outz(run->term, rag_version());
        term_outz(run->term, "\n");
    }
    return EXIT_OK;
}

extern const cmd cmd_version;
const cmd cmd_version = {
    "version", "",          "this program's version", "  rag version --build\n",
    options,   run_version,
};

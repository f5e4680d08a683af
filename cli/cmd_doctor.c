#include "checks.h"

typedef struct flags {
    bool repair;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "repair", &f.repair, NULL,
     "mend what can be made again: counters, words index, vector index"},
    OPT_END,
};

static rag_status doctor(checks *c, rag_error *err)
{
    rag_status st;

    TRY(checks_begin(c, "rag.doctor/1", err));
    term_catch_interrupt();
    TRY(rag_doctor(&c->run->config, f.repair, checks_line, c, err));
    st = checks_end(c, err);
out:
    checks_dispose(c);
    return st;
}

static int run_doctor(cmd_run *run, rag_error *err)
{
    checks c = {.run = run};

    if (run->argc != 0)
        return cmd_usage(run, "doctor takes no argument");
    if (doctor(&c, err) != RAG_OK)
        return exit_of(err->code);
    return checks_exit(&c);
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

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "ingest_show.h"

/* a list of paths on standard input */
#define MAX_LIST_BYTES ((size_t)256 << 20)

typedef struct flags {
    opt_list include;
    opt_list exclude;
    bool gitignore;
    bool hidden;
    bool follow;
    bool dry_run;
    size_t jobs;
    bool no_embed;
    bool reembed;
    bool prune;
    bool strict;
    bool init;
    const char *name;
    const char *type;
    const char *files_from;
    bool nul;
    size_t wait_s;
} flags;

static flags f;

static const opt options[] = {
    {OPT_LIST, 0, "include", &f.include, "GLOB", "only files that match"},
    {OPT_LIST, 0, "exclude", &f.exclude, "GLOB",
     "leave these out (also: .ragignore)"},
    {OPT_FLAG, 0, "gitignore", &f.gitignore, NULL,
     "honour .gitignore files, too"},
    {OPT_FLAG, 0, "hidden", &f.hidden, NULL, "hidden files, too"},
    {OPT_FLAG, 0, "follow", &f.follow, NULL, "follow symbolic links"},
    {OPT_FLAG, 0, "dry-run", &f.dry_run, NULL,
     "say what would be done, write nothing"},
    {OPT_SIZE, 'j', "jobs", &f.jobs, "N",
     "files read at once (default: every CPU)"},
    {OPT_FLAG, 0, "no-embed", &f.no_embed, NULL,
     "text and words only; a later run embeds"},
    {OPT_FLAG, 0, "reembed", &f.reembed, NULL,
     "change the store to the model of the settings"},
    {OPT_FLAG, 0, "prune", &f.prune, NULL,
     "remove also when most of a folder is gone"},
    {OPT_FLAG, 0, "strict", &f.strict, NULL,
     "stop at the first file that cannot be stored"},
    {OPT_FLAG, 0, "init", &f.init, NULL,
     "make a store in .rag/ of this folder"},
    {OPT_STR, 0, "name", &f.name, "NAME",
     "name of the document on stdin (with -)"},
    {OPT_STR, 0, "type", &f.type, "TYPE",
     "read as text, markdown, html, pdf, records, csv, tsv"},
    {OPT_STR, 0, "files-from", &f.files_from, "FILE",
     "paths from FILE (- for stdin), one a line"},
    {OPT_FLAG, '0', "null", &f.nul, NULL, "paths of --files-from end in NUL"},
    {OPT_SIZE, 0, "wait", &f.wait_s, "SECS",
     "wait for another rag that writes"},
    OPT_END,
};

static rag_status add(opt_list *out, const char *item, rag_error *err)
{
    if (item == NULL ||
        !rag_mem_grow(&out->items, &out->cap, out->n + 1, sizeof *out->items))
        return rag_fail_nomem(err);
    out->items[out->n++] = item;
    return RAG_OK;
}

/* Paths, one a line or NUL-terminated. */
static rag_status read_list(opt_list *out, rag_arena *a, const char *from,
                            rag_error *err)
{
    rag_status st;
    rag_buf b;
    rag_str rest;

    rag_buf_init(&b, MAX_LIST_BYTES + ((size_t)1 << 20));
    if (strcmp(from, "-") == 0)
        TRY(rag_file_read_fd(&b, STDIN_FILENO, "standard input", MAX_LIST_BYTES,
                             err));
    else
        TRY(rag_file_read(&b, from, MAX_LIST_BYTES, err));
    rest = rag_buf_str(&b);
    while (rest.len != 0) {
        size_t at = rag_str_find_char(rest, f.nul ? '\0' : '\n');
        rag_str one = rag_str_cut(rest, 0, at);

        rest = at == SIZE_MAX ? rag_str_n(NULL, 0)
                              : rag_str_cut(rest, at + 1, rest.len);
        if (one.len == 0)
            continue;
        TRY(add(out, rag_arena_strndup(a, one.ptr, one.len), err));
    }
out:
    rag_buf_dispose(&b);
    return st;
}

/* Globs of a setting, when no flag gave any. */
static rag_status globs(opt_list *out, rag_arena *a, const cmd_run *run,
                        const char *name, rag_error *err)
{
    rag_str rest = rag_str_of(settings_value(run->settings, name));
    rag_status st = RAG_OK;

    if (out->n != 0)
        return RAG_OK;
    for (rest = rag_str_trim(rest); rest.len != 0 && st == RAG_OK;
         rest = rag_str_trim(rest)) {
        size_t n = 0;

        while (n < rest.len && rest.ptr[n] != ' ' && rest.ptr[n] != '\t')
            n++;
        st = add(out, rag_arena_strndup(a, rest.ptr, n), err);
        rest = rag_str_cut(rest, n, rest.len);
    }
    return st;
}

static rag_status make_local_store(cmd_run *run, rag_error *err)
{
    rag_status st;

    if (run->global->store != NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "--init makes .rag/ here: it goes without --store");
    TRY(rag_file_mkdirs(".rag", err));
    settings_free(run->settings);
    run->settings = NULL;
    TRY(settings_load(&run->settings, NULL, err));
    TRY(settings_config(&run->config, run->settings, err));
    run->config.cancelled = term_interrupted;
out:
    return st;
}

/* A store is not made for a mistyped path. */
static rag_status all_there(const rag_ingest_opts *o, rag_error *err)
{
    for (size_t i = 0; i < o->n_paths; i++)
        if (access(o->paths[i], F_OK) != 0 && errno == ENOENT)
            return rag_fail(err, RAG_E_INVAL, "%s: no such file or folder",
                            o->paths[i]);
    return RAG_OK;
}

static rag_status open_for(rag **r, bool *fresh, cmd_run *run,
                           const rag_ingest_opts *o, rag_error *err)
{
    rag_status st = cmd_need_store(run, err);

    *fresh = false;
    *r = NULL;
    if (st != RAG_OK)
        return st;
    if (f.dry_run) {
        st = rag_open(r, &run->config, RAG_OPEN_READ, 0, err);
        if (st == RAG_E_NOTFOUND) {
            rag_error_clear(err);
            st = rag_open(r, &run->config, RAG_OPEN_NONE, 0, err);
        }
        return st;
    }
    st = rag_open(r, &run->config, RAG_OPEN_WRITE, (unsigned)f.wait_s * 1000,
                  err);
    if (st == RAG_E_NOTFOUND) {
        rag_error_clear(err);
        *fresh = true;
        st = all_there(o, err);
        if (st == RAG_OK)
            st = rag_open(r, &run->config, RAG_OPEN_CREATE,
                          (unsigned)f.wait_s * 1000, err);
    }
    return st;
}

static int code_of(const rag_ingest_report *r)
{
    return r->n_failed != 0 || r->n_partial != 0 || r->roots_missing ||
                   r->needs_prune
               ? EXIT_PARTIAL
               : EXIT_OK;
}

static rag_status ingest(int *code, cmd_run *run, const rag_ingest_opts *o,
                         rag_error *err)
{
    ingest_show s;
    rag_ingest_watch w = {ingest_show_file, ingest_show_progress,
                          ingest_show_note, &s};
    rag_ingest_report rep;
    rag *r = NULL;
    bool fresh;
    rag_status st;
    rag_status done;

    memset(&rep, 0, sizeof rep);
    ingest_show_init(&s, run);
    s.dry_run = f.dry_run;
    s.no_embed = f.no_embed;
    TRY(open_for(&r, &fresh, run, o, err));
    if (fresh && settings_store_is_shared_default(run->settings))
        term_info(run->term,
                  "first write into the shared store %s ('rag ingest --init' "
                  "makes one for this folder alone)",
                  settings_store(run->settings));
    done = rag_ingest(&rep, r, o, &w, err);
    term_progress_end(run->term);
    if (done == RAG_OK && run->global->json)
        TRY(ingest_show_json(&s, &rep, err));
    if (done == RAG_OK || rep.interrupted ||
        rep.n_added + rep.n_updated + rep.n_removed != 0)
        ingest_show_text(&s, &rep);
    if (rep.interrupted)
        term_info(run->term, "interrupted: what was finished is kept, 'rag "
                             "ingest' goes on");
    else if (rep.n_missing != 0 &&
             (exit_of(done) == EXIT_KEY || exit_of(done) == EXIT_ENDPOINT))
        term_info(run->term, "text and words are stored and searchable; 'rag "
                             "ingest' goes on with the vectors");
    *code = code_of(&rep);
    st = done;
out:
    rag_close(r);
    ingest_show_dispose(&s);
    return st;
}

/* What is to be read: words of the command line, lines of --files-from,
 * standard input. */
static rag_status given(opt_list *paths, rag_ingest_opts *o, rag_arena *a,
                        const cmd_run *run, rag_error *err)
{
    rag_status st = RAG_OK;

    for (int i = 0; i < run->argc; i++) {
        if (strcmp(run->argv[i], "-") == 0) {
            o->stdin_fd = STDIN_FILENO;
            continue;
        }
        TRY(add(paths, run->argv[i], err));
    }
    if (f.files_from != NULL)
        TRY(read_list(paths, a, f.files_from, err));
    if (f.files_from != NULL && paths->n == 0 && o->stdin_fd < 0)
        st = rag_fail(err, RAG_E_INVAL, "%s names no file",
                      strcmp(f.files_from, "-") == 0 ? "standard input"
                                                     : f.files_from);
out:
    return st;
}

/* Flags that make no sense, alone or together. */
static rag_status check_flags(const rag_ingest_opts *o, rag_error *err)
{
    if (f.name != NULL && o->stdin_fd < 0)
        return rag_fail(err, RAG_E_INVAL,
                        "--name goes with '-' (standard input)");
    if (f.type != NULL && !rag_type_is(f.type))
        return rag_fail(err, RAG_E_INVAL,
                        "--type %s: text, markdown, html, pdf, records, csv or "
                        "tsv expected",
                        f.type);
    if (f.nul && f.files_from == NULL)
        return rag_fail(err, RAG_E_INVAL, "--null goes with --files-from");
    return RAG_OK;
}

static rag_status from_flags(rag_ingest_opts *o, rag_arena *a,
                             const cmd_run *run, rag_error *err)
{
    rag_status st;

    TRY(globs(&f.include, a, run, "ingest.include", err));
    TRY(globs(&f.exclude, a, run, "ingest.exclude", err));
    o->name = f.name;
    o->type = f.type;
    o->include = f.include.items;
    o->n_include = f.include.n;
    o->exclude = f.exclude.items;
    o->n_exclude = f.exclude.n;
    o->hidden = f.hidden;
    o->follow = f.follow;
    o->gitignore = f.gitignore;
    o->dry_run = f.dry_run;
    o->no_embed = f.no_embed;
    o->reembed = f.reembed;
    o->prune = f.prune;
    o->strict = f.strict;
out:
    return st;
}

/* --init without anything to read: an empty store. */
static rag_status make_empty(cmd_run *run, rag_error *err)
{
    rag *r;
    rag_status st = rag_open(&r, &run->config, RAG_OPEN_CREATE, 0, err);

    if (st != RAG_OK)
        return st;
    rag_close(r);
    term_info(run->term, "made %s", settings_store(run->settings));
    return RAG_OK;
}

static int run_ingest(cmd_run *run, rag_error *err)
{
    rag_ingest_opts o = {.stdin_fd = -1};
    opt_list paths = {NULL, 0, 0};
    int code = EXIT_OK;
    rag_arena a;
    rag_status st;

    rag_arena_init(&a);
    TRY(given(&paths, &o, &a, run, err));
    TRY(check_flags(&o, err));
    if (f.init)
        TRY(make_local_store(run, err));
    if (f.init && paths.n == 0 && o.stdin_fd < 0) {
        st = make_empty(run, err);
        goto out;
    }
    o.paths = paths.items;
    o.n_paths = paths.n;
    TRY(from_flags(&o, &a, run, err));
    if (f.jobs != 0)
        run->config.n_jobs = f.jobs;
    term_catch_interrupt();
    st = ingest(&code, run, &o, err);
out:
    (void)st; /* told through err */
    opt_list_free(&paths);
    opt_list_free(&f.include);
    opt_list_free(&f.exclude);
    rag_arena_dispose(&a);
    return code;
}

extern const cmd cmd_ingest;
const cmd cmd_ingest = {
    "ingest",
    "PATH...",
    "make documents searchable; run again: only what changed is done",
    "  rag ingest ./manuals\n"
    "  rag ingest                     # every folder ingested before\n"
    "  git ls-files -z | rag ingest --files-from - -0\n"
    "  curl -s URL | rag ingest - --name page.html\n",
    options,
    run_ingest,
};

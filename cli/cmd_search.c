#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "lines.h"
#include "out.h"

/* of a passage shown on a terminal */
#define SHOWN_LINES 6
/* and of one of its lines: a record or minified page is one line */
#define SHOWN_BYTES 320

typedef struct flags {
    size_t k;
    const char *path;
    const char *type;
    const char *since;
    opt_list meta;
    const char *mode;
    bool explain;
} flags;

static flags f;

static const opt options[] = {
    {OPT_COUNT, 'k', "top", &f.k, "N", "passages (default: retrieve.k)"},
    {OPT_STR, 0, "path", &f.path, "GLOB", "only documents whose name matches"},
    {OPT_STR, 0, "type", &f.type, "T",
     "only documents of a type (pdf, markdown, ...)"},
    {OPT_STR, 0, "since", &f.since, "DATE",
     "only files changed since YYYY-MM-DD"},
    {OPT_LIST, 0, "meta", &f.meta, "KEY=VALUE",
     "only documents with this front matter"},
    {OPT_STR, 0, "mode", &f.mode, "MODE", "hybrid (default), dense or lexical"},
    {OPT_FLAG, 0, "explain", &f.explain, NULL, "show the parts of each score"},
    OPT_END,
};

static bool date_ns(int64_t *out, const char *s)
{
    const int64_t most = INT64_MAX / 1000000000; /* s: the year 2262 */
    struct tm tm;
    const char *end;
    int64_t at;

    memset(&tm, 0, sizeof tm);
    tm.tm_isdst = -1;
    end = strptime(s, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0')
        return false;
    at = (int64_t)mktime(&tm);
    at = at > most ? most : at;
    *out = (at < -most ? -most : at) * 1000000000;
    return true;
}

static void show_text(term *t, rag_str text)
{
    rag_str line;
    int n = 0;

    while (n < SHOWN_LINES && rag_str_next_line(&line, &text)) {
        line = rag_str_trim(line);
        if (line.len == 0)
            continue;
        term_outz(t, "    ");
        term_text(t, rag_str_cut(line, 0,
                                 rag_utf8_grapheme_floor(line, SHOWN_BYTES)));
        term_outz(t, line.len > SHOWN_BYTES ? "…\n" : "\n");
        n++;
    }
    if (rag_str_trim(text).len != 0)
        term_outz(t, "    …\n");
}

static void part_of_score(term *t, const char *name, double v, int decimals)
{
    char b[64];
    int n = isnan(v) ? snprintf(b, sizeof b, "  %s -", name)
                     : snprintf(b, sizeof b, "  %s %.*f", name, decimals, v);

    if (n > 0)
        term_outz(t, b);
}

static void show_hit(term *t, const rag_hit *h)
{
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 20);
    rag_buf_addf(&b, "%u. ", h->rank);
    term_out(t, rag_buf_str(&b));
    rag_buf_clear(&b);
    out_place(&b, h);
    term_styled(t, TERM_PATH, rag_buf_str(&b));
    rag_buf_clear(&b);
    for (size_t i = 0; i < h->n_headings; i++) {
        rag_buf_addz(&b, i == 0 ? "  " : " > ");
        rag_buf_adds(&b, h->headings[i]);
    }
    if (h->n_headings == 0 && h->title.len != 0) {
        rag_buf_addz(&b, "  ");
        rag_buf_adds(&b, h->title);
    }
    term_styled(t, TERM_BOLD, rag_buf_str(&b));
    if (h->stale)
        term_styled(t, TERM_WARN,
                    strcmp(h->stale_why, "gone") == 0
                        ? RAG_STR_LIT("  (file is gone: rag ingest)")
                        : RAG_STR_LIT("  (changed since: rag ingest)"));
    term_outz(t, "\n");
    if (f.explain) {
        term_outz(t, "  ");
        part_of_score(t, "score", h->score, 4);
        part_of_score(t, "cosine", h->dense, 4);
        part_of_score(t, "bm25", h->lexical, 3);
        if (!isnan(h->rerank))
            part_of_score(t, "rerank", h->rerank, 4);
        part_of_score(t, "coverage", h->coverage, 2);
        term_outz(t, "\n");
    }
    show_text(t, h->text);
    rag_buf_dispose(&b);
}

static rag_status hits_json(cmd_run *run, rag_str query, const rag_hits *hits,
                            rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st;

    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "schema", "rag.search/1");
    rag_jw_str(w, "query", query);
    rag_jw_strz(w, "mode", rag_mode_name(hits->mode));
    out_num(w, "evidence", hits->evidence, 4);
    if (f.explain)
        out_num(w, "dense_weight", hits->dense_weight, 4);
    rag_jw_array(w, "hits");
    for (size_t i = 0; i < hits->n_hits; i++)
        out_hit_json(w, NULL, &hits->hits[i], -1);
    rag_jw_end(w);
    rag_jw_obj(w, "timing_ms");
    rag_jw_num(w, "embed", hits->ms_embed, 2);
    rag_jw_num(w, "dense", hits->ms_dense, 2);
    rag_jw_num(w, "lexical", hits->ms_lexical, 2);
    rag_jw_num(w, "rerank", hits->ms_rerank, 2);
    rag_jw_num(w, "total", hits->ms_total, 2);
    rag_jw_end(w);
    rag_jw_end(w);
    st = out_json(run, w, err);
    rag_jw_free(w);
    return st;
}

static rag_status hits_jsonl(cmd_run *run, const rag_hits *hits,
                             int64_t query_no, rag_error *err)
{
    rag_jw *w = rag_jw_new();
    rag_status st = RAG_OK;

    if (w == NULL)
        return rag_fail_nomem(err);
    for (size_t i = 0; i < hits->n_hits && st == RAG_OK; i++) {
        out_hit_json(w, NULL, &hits->hits[i], query_no);
        st = out_json(run, w, err);
    }
    rag_jw_free(w);
    return st;
}

static void say_nothing(const cmd_run *run, const rag_hits *hits)
{
    rag_buf b;

    if (!hits->filtered_out) {
        term_info(run->term, "nothing found");
        return;
    }
    rag_buf_init(&b, (size_t)1 << 20);
    if (f.path != NULL)
        rag_buf_addf(&b, " --path %s", f.path);
    if (f.type != NULL)
        rag_buf_addf(&b, " --type %s", f.type);
    if (f.since != NULL)
        rag_buf_addf(&b, " --since %s", f.since);
    for (size_t i = 0; i < f.meta.n; i++)
        rag_buf_addf(&b, " --meta %s", f.meta.items[i]);
    term_info(run->term, "No document matches%.*s.", (int)b.len,
              b.len != 0 ? b.ptr : "");
    rag_buf_dispose(&b);
}

/* One query: prints, and says whether anything was found. */
static rag_status one(bool *found, cmd_run *run, rag *r, rag_str query,
                      const rag_search_opts *o, int64_t query_no,
                      rag_error *err)
{
    rag_hits *hits;
    rag_status st = rag_search(&hits, r, query, o, err);

    *found = false;
    if (st != RAG_OK)
        return st;
    if (hits->warning != NULL)
        term_warn(run->term, "rag: %s", hits->warning);
    *found = hits->n_hits != 0;
    if (query_no >= 0 || run->global->jsonl) {
        st = hits_jsonl(run, hits, query_no, err);
    } else if (run->global->json) {
        st = hits_json(run, query, hits, err);
    } else {
        for (size_t i = 0; i < hits->n_hits; i++)
            show_hit(run->term, &hits->hits[i]);
        if (hits->n_hits == 0)
            say_nothing(run, hits);
    }
    term_flush(run->term);
    rag_hits_free(hits);
    return st;
}

/* Queries from standard input, one a line. A failing one gives an error line,
 * the rest goes on. */
static int batch(cmd_run *run, rag *r, const rag_search_opts *o, rag_error *err)
{
    int64_t no = 0;
    int worst = EXIT_OK;
    bool any = false;
    bool got;
    rag_str line;
    lines in;

    lines_init(&in);
    for (;; no++) {
        rag_error why = {RAG_OK, ""};
        bool found = false;
        rag_status st = lines_next(&line, &got, &in, &why);

        if (st == RAG_E_LIMIT) { /* of this line */
            out_error_line(run, no, &why);
            worst = worst > EXIT_PARTIAL ? worst : EXIT_PARTIAL;
            continue;
        }
        if (st != RAG_OK)
            *err = why;
        if (st != RAG_OK || !got)
            break;
        if (rag_str_trim(line).len != 0 &&
            one(&found, run, r, line, o, no, &why) != RAG_OK) {
            int code = exit_of(why.code);

            out_error_line(run, no, &why);
            if (code > worst)
                worst = code;
        }
        any = any || found;
    }
    lines_dispose(&in);
    return worst == EXIT_OK && !any ? EXIT_NOTHING : worst;
}

static int search(cmd_run *run, rag_error *err)
{
    rag_search_opts o = {.check_stale = true, .explain = f.explain};
    rag *r = NULL;
    bool found;
    int code = EXIT_OK;

    if (run->argc != 1)
        return cmd_usage(run, "search takes one query: rag search \"WORDS\" "
                              "(quote it), or - for one a line on stdin");
    if (!cmd_mode(&o.mode, run, f.mode))
        return EXIT_USAGE;
    if (f.since != NULL && !date_ns(&o.since_ns, f.since))
        return cmd_usage(run, "--since %s: a date as YYYY-MM-DD expected",
                         f.since);
    if (f.type != NULL && !rag_type_is(f.type))
        return cmd_usage(run,
                         "--type %s: text, markdown, html, pdf, records, csv "
                         "or tsv expected",
                         f.type);
    for (size_t i = 0; i < f.meta.n; i++)
        if (strchr(f.meta.items[i], '=') == NULL)
            return cmd_usage(run, "--meta %s: KEY=VALUE expected",
                             f.meta.items[i]);
    o.k = f.k;
    o.path_glob = f.path;
    o.type = f.type;
    o.meta = f.meta.items;
    o.n_meta = f.meta.n;
    if (cmd_open(&r, run, RAG_OPEN_READ, 0, err) != RAG_OK)
        return exit_of(err->code);
    term_catch_interrupt();
    if (strcmp(run->argv[0], "-") == 0) {
        code = batch(run, r, &o, err);
    } else {
        rag_str q = rag_str_of(run->argv[0]);

        if (rag_str_trim(q).len == 0)
            code = cmd_usage(run, "the query is empty");
        else if (one(&found, run, r, q, &o, -1, err) == RAG_OK)
            code = found ? EXIT_OK : EXIT_NOTHING;
    }
    rag_close(r);
    return code;
}

static int run_search(cmd_run *run, rag_error *err)
{
    int code = search(run, err);

    opt_list_free(&f.meta);
    return code;
}

extern const cmd cmd_search;
const cmd cmd_search = {
    "search",
    "\"QUERY\"|-",
    "the passages themselves",
    "  rag search \"reset the device\"\n"
    "  rag search '\"exact phrase\" -draft' --path '*.pdf'\n"
    "  rag search \"error 502\" --json | jq -r '.hits[].document'\n"
    "  rag search - < questions.txt\n",
    options,
    run_search,
};

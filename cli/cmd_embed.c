#include <string.h>

#include "base/mem.h"
#include "lines.h"
#include "out.h"

/* Texts of one slice: enough to keep several requests on their way and to fill
 * the encoder's batches. */
#define SLICE_TEXTS RAG_EMBED_TEXTS_MAX
/* A slice ends also when so much text has come. */
#define SLICE_BYTES ((size_t)1 << 20)

typedef struct flags {
    bool query;
    bool raw;
} flags;

static flags f;

static const opt options[] = {
    {OPT_FLAG, 0, "query", &f.query, NULL,
     "the texts are questions (some models prefix them otherwise)"},
    {OPT_FLAG, 0, "raw", &f.raw, NULL, "float32, little-endian, nothing else"},
    OPT_END,
};

/* Lines on their way to the model. */
typedef struct reader {
    cmd_run *run;
    const char *single; /* the text of the command line, or NULL */
    bool batch;         /* lines of standard input */
    lines in;
    uint64_t n_lines; /* read so far */
    uint64_t n_texts; /* given out before the slice at hand */
    size_t n_slice;   /* texts of the slice at hand */
    uint64_t first;   /* line of the slice's first text */
    rag_error bad;    /* a line that could not be read, behind the slice */
    int worst;        /* exit code of the lines that failed */
    rag_buf slice;    /* the texts given out, one behind the other */
    rag_str texts[SLICE_TEXTS];
} reader;

/* A line without a vector: an object in its place. Bytes have no place for
 * that. */
static rag_status tell(reader *r, uint64_t line_no, const rag_error *why,
                       rag_error *err)
{
    int code = exit_of(why->code);

    if (!r->batch)
        return rag_fail(err, why->code, "%s", why->msg);
    if (f.raw)
        return rag_fail(err, why->code,
                        "line %llu: %s (with --raw nothing can stand in its "
                        "place)",
                        (unsigned long long)line_no, why->msg);
    out_error_no(r->run, "line", (int64_t)line_no, why);
    if (code > r->worst)
        r->worst = code;
    return RAG_OK;
}

/* Reads lines into the slice. It ends when it is full, and when the next line
 * would have to be waited for: who writes a line and waits for its vector gets
 * it. */
static rag_status read_slice(reader *r, size_t *n, rag_error *err)
{
    size_t ends[SLICE_TEXTS];
    rag_status st = RAG_OK;

    rag_buf_clear(&r->slice);
    r->first = r->n_lines;
    while (*n < SLICE_TEXTS && r->slice.len < SLICE_BYTES &&
           (*n == 0 || lines_ready(&r->in))) {
        rag_error why = {RAG_OK, ""};
        rag_str line;
        bool got;

        st = lines_next(&line, &got, &r->in, &why);
        if (st == RAG_E_LIMIT) {
            r->bad = why;
            break;
        }
        if (st != RAG_OK) {
            if (err != NULL)
                *err = why;
            return st;
        }
        if (!got)
            break;
        rag_buf_adds(&r->slice, line);
        ends[(*n)++] = r->slice.len;
        r->n_lines++;
    }
    for (size_t i = 0; i < *n; i++)
        r->texts[i] = rag_str_cut(rag_buf_str(&r->slice),
                                  i == 0 ? 0 : ends[i - 1], ends[i]);
    return rag_buf_status(&r->slice, err);
}

static rag_status next_texts(void *ctx, const rag_str **texts, size_t *n,
                             rag_error *err)
{
    reader *r = ctx;
    rag_status st = RAG_OK;

    *texts = r->texts;
    *n = 0;
    r->n_texts += r->n_slice;
    if (!r->batch) {
        if (r->single != NULL)
            r->texts[(*n)++] = rag_str_of(r->single);
        r->single = NULL;
        return RAG_OK;
    }
    do {
        if (r->bad.code != RAG_OK) {
            st = tell(r, r->n_lines++, &r->bad, err);
            rag_error_clear(&r->bad);
        }
        term_flush(r->run->term);
        if (st == RAG_OK)
            st = read_slice(r, n, err);
    } while (st == RAG_OK && *n == 0 && r->bad.code != RAG_OK);
    r->n_slice = *n;
    return st;
}

static void vector_raw(term *t, const float *v, size_t dims)
{
    uint8_t b[4];

    for (size_t i = 0; i < dims; i++) {
        uint32_t bits;

        memcpy(&bits, &v[i], sizeof bits);
        b[0] = (uint8_t)(bits & 0xff);
        b[1] = (uint8_t)(bits >> 8 & 0xff);
        b[2] = (uint8_t)(bits >> 16 & 0xff);
        b[3] = (uint8_t)(bits >> 24);
        term_out(t, rag_str_n((const char *)b, sizeof b));
    }
}

static rag_status on_vector(void *ctx, const rag_embedded *v, rag_error *err)
{
    reader *r = ctx;
    rag_status st;
    rag_jw *w;

    if (term_interrupted(NULL))
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    if (v->vector == NULL)
        return tell(r, r->first + (v->no - r->n_texts), v->why, err);
    if (f.raw) {
        vector_raw(r->run->term, v->vector, v->dims);
        return RAG_OK;
    }
    w = rag_jw_new();
    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_str(w, "text", v->text);
    rag_jw_strz(w, "model", v->model);
    rag_jw_floats(w, "vector", v->vector, v->dims);
    rag_jw_end(w);
    st = out_json(r->run, w, err);
    rag_jw_free(w);
    return st;
}

static void say_windowed(term *t, const rag_embed_report *report)
{
    if (report->n_windowed != 0 && report->n_windowed <= report->n_texts)
        term_warn(t,
                  "rag: %llu of %llu texts are longer than the model's %zu "
                  "tokens: read in windows, averaged by length",
                  (unsigned long long)report->n_windowed,
                  (unsigned long long)report->n_texts, report->window_tokens);
}

static int run_embed(cmd_run *run, rag_error *err)
{
    rag_embed_report report;
    reader *r;
    rag_status st;
    int worst;

    if (run->argc > 1)
        return cmd_usage(run, "embed takes one text (quote it), or lines on "
                              "standard input: rag embed -");
    if (f.raw && run->term->out_tty)
        return cmd_usage(run, "--raw writes bytes: send them to a file or "
                              "a pipe");
    r = rag_calloc(1, sizeof *r);
    if (r == NULL)
        return exit_of(rag_fail_nomem(err));
    r->run = run;
    if (run->argc == 1 && strcmp(run->argv[0], "-") != 0)
        r->single = run->argv[0];
    r->batch = r->single == NULL;
    lines_init(&r->in);
    rag_buf_init(&r->slice, SLICE_BYTES + LINES_MAX_BYTES * 2);
    term_catch_interrupt();
    st = rag_embed_texts(&report, &run->config, f.query, next_texts, on_vector,
                         r, err);
    term_flush(run->term);
    say_windowed(run->term, &report);
    worst = r->worst;
    rag_buf_dispose(&r->slice);
    lines_dispose(&r->in);
    rag_free(r);
    return st != RAG_OK ? exit_of(st) : worst;
}

extern const cmd cmd_embed;
const cmd cmd_embed = {
    "embed",
    "[TEXT|-]",
    "vectors of texts, one a line in, one a line out",
    "  rag embed \"a passage\" | jq .vector[:3]\n"
    "  rag embed --query - < questions.txt > vectors.jsonl\n"
    "  rag embed --raw - < passages.txt > vectors.f32\n",
    options,
    run_embed,
};

#include <string.h>

#include "base/mem.h"
#include "lines.h"
#include "out.h"

/* Texts of one slice: enough to fill requests and the encoder's batches. */
#define SLICE_TEXTS 256
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
    lines in;
    rag_buf slice; /* the texts given out, one behind the other */
    rag_str texts[SLICE_TEXTS];
} reader;

/* A slice ends when it is full, and when the next line would have to be waited
 * for: who writes a line and waits for its vector gets it. */
static rag_status next_texts(void *ctx, const rag_str **texts, size_t *n,
                             rag_error *err)
{
    reader *r = ctx;
    size_t ends[SLICE_TEXTS];
    bool got = true;

    *texts = r->texts;
    *n = 0;
    rag_buf_clear(&r->slice);
    if (r->single != NULL) {
        r->texts[(*n)++] = rag_str_of(r->single);
        r->single = NULL;
        r->in.end = true;
        return RAG_OK;
    }
    term_flush(r->run->term);
    while (got && *n < SLICE_TEXTS && r->slice.len < SLICE_BYTES &&
           (*n == 0 || lines_ready(&r->in))) {
        rag_str line;
        rag_status st = lines_next(&line, &got, &r->in, err);

        if (st != RAG_OK)
            return st;
        if (!got)
            break;
        rag_buf_adds(&r->slice, line);
        ends[(*n)++] = r->slice.len;
    }
    for (size_t i = 0; i < *n; i++)
        r->texts[i] = rag_str_cut(rag_buf_str(&r->slice),
                                  i == 0 ? 0 : ends[i - 1], ends[i]);
    return rag_buf_status(&r->slice, err);
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

static rag_status on_vector(void *ctx, rag_str text, const float *vector,
                            size_t dims, const char *model, rag_error *err)
{
    reader *r = ctx;
    rag_status st;
    rag_jw *w;

    if (term_interrupted(NULL))
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    if (f.raw) {
        vector_raw(r->run->term, vector, dims);
        return RAG_OK;
    }
    w = rag_jw_new();
    if (w == NULL)
        return rag_fail_nomem(err);
    rag_jw_obj(w, NULL);
    rag_jw_str(w, "text", text);
    rag_jw_strz(w, "model", model);
    rag_jw_floats(w, "vector", vector, dims);
    rag_jw_end(w);
    st = out_json(r->run, w, err);
    rag_jw_free(w);
    return st;
}

static int run_embed(cmd_run *run, rag_error *err)
{
    reader *r;
    rag_status st;

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
    lines_init(&r->in);
    rag_buf_init(&r->slice, SLICE_BYTES + LINES_MAX_BYTES * 2);
    term_catch_interrupt();
    st = rag_embed_texts(&run->config, f.query, next_texts, on_vector, r, err);
    rag_buf_dispose(&r->slice);
    lines_dispose(&r->in);
    rag_free(r);
    return exit_of(st);
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

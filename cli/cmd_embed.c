#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "out.h"

/* Texts of one slice: enough to fill requests and the encoder's batches. */
#define SLICE_TEXTS 256
/* A slice ends also when so much text has come. */
#define SLICE_BYTES ((size_t)1 << 20)
/* One line; a text of this size is no passage any more. */
#define MAX_LINE_BYTES ((size_t)16 << 20)
#define READ_BYTES ((size_t)1 << 16)

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

/* Lines on their way: what was read, and the slice that was given out. */
typedef struct reader {
    cmd_run *run;
    const char *single; /* the text of the command line, or NULL */
    rag_buf in;         /* slice, and the beginning of the next one */
    size_t used;        /* bytes of in that were given out */
    bool end;
    rag_str texts[SLICE_TEXTS];
} reader;

/* Is there more to read without waiting? */
static bool more_now(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static rag_status fill(reader *r, rag_error *err)
{
    char *to = rag_buf_reserve(&r->in, READ_BYTES);
    ssize_t n;

    if (to == NULL)
        return rag_buf_status(&r->in, err);
    do {
        n = read(STDIN_FILENO, to, READ_BYTES);
    } while (n < 0 && errno == EINTR && !term_interrupted(NULL));
    if (n < 0 && errno == EINTR)
        return rag_fail(err, RAG_E_CANCELLED, "interrupted");
    if (n < 0)
        return rag_fail_errno(err, errno, "cannot read standard input");
    if (n == 0)
        r->end = true;
    rag_buf_wrote(&r->in, (size_t)n);
    return RAG_OK;
}

/* Cuts whole lines off the front; at the end also the last, unfinished one. */
static size_t cut_lines(reader *r)
{
    size_t n = 0;

    while (n < SLICE_TEXTS && r->used < r->in.len) {
        rag_str rest = rag_str_cut(rag_buf_str(&r->in), r->used, r->in.len);
        size_t at = rag_str_find_char(rest, '\n');
        rag_str line = rag_str_cut(rest, 0, at);

        if (at == SIZE_MAX && !r->end)
            break;
        r->used += at == SIZE_MAX ? rest.len : at + 1;
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        r->texts[n++] = line;
    }
    return n;
}

static size_t whole_lines(const reader *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->in.len; i++)
        n += r->in.ptr[i] == '\n';
    return n;
}

static rag_status next_texts(void *ctx, const rag_str **texts, size_t *n,
                             rag_error *err)
{
    reader *r = ctx;

    *texts = r->texts;
    *n = 0;
    term_flush(r->run->term); /* what was embedded is there to be read */
    if (r->single != NULL) {
        r->texts[0] = rag_str_of(r->single);
        r->single = NULL;
        r->end = true;
        *n = 1;
        return RAG_OK;
    }
    /* the lines given out are done with */
    if (r->used != 0) {
        memmove(r->in.ptr, r->in.ptr + r->used, r->in.len - r->used);
        rag_buf_trunc(&r->in, r->in.len - r->used);
        r->used = 0;
    }
    for (;;) {
        bool some = whole_lines(r) != 0;

        if (r->end || (some && (r->in.len >= SLICE_BYTES || !more_now())))
            break;
        if (!some && r->in.len > MAX_LINE_BYTES)
            return rag_fail(err, RAG_E_LIMIT, "a line of more than %zu MB",
                            MAX_LINE_BYTES >> 20);
        if (fill(r, err) != RAG_OK)
            return err->code;
    }
    *n = cut_lines(r);
    return RAG_OK;
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
    rag_buf_init(&r->in, MAX_LINE_BYTES * 2 + READ_BYTES);
    term_catch_interrupt();
    st = rag_embed_texts(&run->config, f.query, next_texts, on_vector, r, err);
    rag_buf_dispose(&r->in);
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

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "doc/chunk.h"
#include "flow/flow_priv.h"

/* What a dry run says of the embedding it did not do. All of it is at the most:
 * texts that the store has vectors of are not embedded again. */

#define RATE_META "embed.rate"
/* fewer tokens say little about the speed: connecting, loading the model */
#define MIN_RATE_TOKENS 2000u
/* of a chunk, where only their number is known (docs/benchmarks.md) */
#define TYPICAL_TOKENS 320u
/* The probe of a built-in model: passages of a typical length, few enough to
 * take some tenths of a second. */
#define PROBE_TEXTS 8u
#define PROBE_WORDS 260u

static bool is_remote(const char *model)
{
    return model != NULL && (strncmp(model, "openai:", 7) == 0 ||
                             strncmp(model, "ollama:", 7) == 0);
}

void rag_flow_note_rate(rag *r, uint64_t n_tokens, double ms)
{
    char line[256];
    int n;

    if (n_tokens < MIN_RATE_TOKENS || ms <= 0.0 || r->embed_model == NULL)
        return;
    n = snprintf(line, sizeof line, "%.1f %s", (double)n_tokens / ms * 1e3,
                 r->embed_model);
    /* it only serves guesses: a failure to keep it is none of the run */
    if (n > 0 && (size_t)n < sizeof line &&
        rag_store_meta_set(r->store, RATE_META, rag_str_of(line), NULL) !=
            RAG_OK)
        rag_log(RAG_LOG_DEBUG, "the speed of the model was not kept");
}

/* Tokens a second of the last run with this model; 0: not known. */
static double kept_rate(rag *r, const char *model)
{
    rag_str line;
    double rate = 0.0;
    size_t at;
    bool found;
    rag_buf b;

    if (r->store == NULL)
        return 0.0;
    rag_buf_init(&b, 4096);
    if (rag_store_meta_get(&b, &found, r->store, RATE_META, NULL) == RAG_OK &&
        found) {
        line = rag_buf_str(&b);
        at = rag_str_find_char(line, ' ');
        if (at == SIZE_MAX ||
            !rag_str_eqz(rag_str_cut(line, at + 1, line.len), model) ||
            !rag_str_double(&rate, rag_str_cut(line, 0, at)) || !(rate > 0.0))
            rate = 0.0;
    }
    rag_buf_dispose(&b);
    return rate;
}

/* Tokens a second of the built-in model on this machine, now; 0: it failed. */
static double probed_rate(rag_embedder *e)
{
    static const char *const words[] = {"archive", "basket", "copper",
                                        "delta",   "engine", "forest",
                                        "garden",  "harbor"};
    rag_str texts[PROBE_TEXTS];
    double ms;
    double rate = 0.0;
    rag_buf b;

    rag_buf_init(&b, (size_t)1 << 16);
    for (size_t i = 0; i < PROBE_WORDS; i++)
        rag_buf_addf(&b, "%s ", words[i * 5 % 8]);
    for (size_t i = 0; i < PROBE_TEXTS; i++)
        texts[i] = rag_buf_str(&b);
    ms = rag_flow_now_ms();
    if (b.failed == RAG_OK &&
        rag_embed(e, texts, PROBE_TEXTS, RAG_EMBED_PASSAGE, rag_embed_ignore,
                  NULL, NULL) == RAG_OK) {
        ms = rag_flow_now_ms() - ms;
        rate = (double)rag_chunk_tokens(texts[0]) * PROBE_TEXTS /
               (ms > 0.01 ? ms : 0.01) * 1e3;
    }
    rag_buf_dispose(&b);
    return rate;
}

void rag_flow_estimate(rag_ingest_report *out, rag *r,
                       const rag_ingest_opts *opts)
{
    uint64_t batch = r->cfg.embed_batch_texts;
    uint64_t n = out->n_chunks;
    uint64_t tokens = out->n_tokens;
    uint64_t missing = 0;
    rag_embedder *e = NULL;
    double rate;

    out->estimated_cost = (double)NAN;
    out->estimated_ms = out->ms_read;
    /* no model: words alone, and the time that reading took now */
    if (opts->no_embed || rag_flow_embedder(&e, r, NULL) != RAG_OK ||
        e == NULL || r->embed_model == NULL)
        return;
    if (r->store != NULL &&
        rag_store_unembedded_count(&missing, r->store, 0, NULL) == RAG_OK) {
        n += missing;
        tokens += missing * TYPICAL_TOKENS;
    }
    rate = kept_rate(r, r->embed_model);
    if (is_remote(r->embed_model)) {
        if (batch == 0)
            batch = RAG_EMBED_BATCH_TEXTS;
        out->n_requests = (n + batch - 1) / batch;
        if (r->cfg.embed_price_per_mtok >= 0.0)
            out->estimated_cost =
                (double)tokens / 1e6 * r->cfg.embed_price_per_mtok;
    } else if (rate <= 0.0 && tokens != 0) {
        rate = probed_rate(e);
    }
    if (tokens != 0)
        out->estimated_ms = rate > 0.0
                                ? out->ms_read + (double)tokens / rate * 1e3
                                : (double)NAN;
}

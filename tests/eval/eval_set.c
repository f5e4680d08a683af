/* The committed set: FastAPI pages and our own questions.
 *   eval_set SET_DIR WORK_DIR
 * ingests SET_DIR/docs, asks every question and compares with floors.json:
 *   - how often the page asked for is among the first hits,
 *   - no answerable question is refused, off-topic ones are.
 * First by words alone, always; then with the encoder when RAG_TEST_MODEL names
 * the default model (about a minute of one core; sanitizer builds, where it
 * would be many, are built with WORDS_ONLY). The store below WORK_DIR stays, so
 * that a second run pays for no vector again. Both folders by absolute path. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/glob.h"
#include "base/json.h"
#include "base/mem.h"
#include "rag.h"

#define MAX_FILE_BYTES ((size_t)1 << 20)
#define DEPTH 10

static int failures;

static void must(rag_status st, const rag_error *err)
{
    if (st == RAG_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", rag_status_name(st), err->msg);
    exit(1);
}

static void floor_of(const rag_json *floors, const char *name, double value)
{
    double least = rag_json_get_num(floors, name, 2);

    printf("  %-12s %.3f (floor %.3f)%s\n", name, value, least,
           value < least ? "  BELOW" : "");
    failures += value < least ? 1 : 0;
}

/* Rank of the first hit in a document that was asked for; 0: none. */
static size_t rank_of(const rag_hits *hits, const rag_json *documents)
{
    for (size_t i = 0; i < hits->n_hits; i++)
        for (const rag_json *d = rag_json_first(documents); d != NULL;
             d = rag_json_next(d)) {
            rag_str glob;

            if (rag_json_str(&glob, d) &&
                rag_glob_pick(glob, hits->hits[i].document))
                return i + 1;
        }
    return 0;
}

typedef struct tally {
    size_t n;
    size_t n_refused;
    size_t at_1;
    size_t at_5;
    size_t at_10;
    double mrr;
} tally;

/* Asks every question of a file; those on the wrong side are printed. */
static void ask_file(tally *t, rag *r, const char *dir, const char *name,
                     rag_mode mode)
{
    const rag_search_opts o = {.mode = mode, .k = DEPTH};
    char *path = rag_file_join(dir, name);
    rag_error err;
    rag_buf b;
    rag_str rest;
    rag_str line;

    rag_buf_init(&b, MAX_FILE_BYTES);
    must(rag_file_read(&b, path, MAX_FILE_BYTES, &err), &err);
    rest = rag_buf_str(&b);
    while (rag_str_next_line(&line, &rest)) {
        rag_json *q;
        rag_hits *hits;
        rag_str text;
        bool unanswerable = false;
        size_t rank;

        must(rag_json_parse(&q, line, MAX_FILE_BYTES, name, &err), &err);
        text = rag_json_get_str(q, "question");
        (void)rag_json_bool(&unanswerable, rag_json_get(q, "unanswerable"));
        must(rag_search(&hits, r, text, &o, &err), &err);
        rank = rank_of(hits, rag_json_get(q, "documents"));
        t->n++;
        t->n_refused += hits->relevant ? 0 : 1;
        t->at_1 += rank == 1;
        t->at_5 += rank >= 1 && rank <= 5;
        t->at_10 += rank != 0;
        t->mrr += rank != 0 ? 1 / (double)rank : 0;
        if (hits->relevant == unanswerable || (!unanswerable && rank == 0))
            printf("  %s, rank %zu, evidence %.2f: %.*s\n",
                   hits->relevant ? "answered" : "refused", rank,
                   hits->evidence, (int)text.len, text.ptr);
        rag_hits_free(hits);
        rag_json_free(q);
    }
    rag_buf_dispose(&b);
    rag_free(path);
}

static void measure(rag *r, const char *dir, const rag_json *floors,
                    rag_mode mode)
{
    const rag_json *own = rag_json_get(floors, rag_mode_name(mode));
    double at_most = rag_json_get_num(floors, "answerable_refused_at_most", 0);
    double at_least = rag_json_get_num(floors, "offtopic_refused_at_least", 99);
    tally all = {0};
    tally answerable = {0};
    tally off = {0};

    printf("%s\n", rag_mode_name(mode));
    ask_file(&answerable, r, dir, "answerable.jsonl", mode);
    all = answerable;
    ask_file(&all, r, dir, "questions.jsonl", mode);
    ask_file(&off, r, dir, "offtopic.jsonl", mode);
    floor_of(own, "recall@1", (double)all.at_1 / (double)all.n);
    floor_of(own, "recall@5", (double)all.at_5 / (double)all.n);
    floor_of(own, "recall@10", (double)all.at_10 / (double)all.n);
    floor_of(own, "mrr@10", all.mrr / (double)all.n);
    printf("  refused: %zu of %zu answerable (at most %.0f), %zu of %zu of all "
           "questions, %zu of %zu off topic (at least %.0f)\n",
           answerable.n_refused, answerable.n, at_most, all.n_refused, all.n,
           off.n_refused, off.n, at_least);
    failures += (double)answerable.n_refused > at_most ? 1 : 0;
    failures += (double)off.n_refused < at_least ? 1 : 0;
}

static void ingest(rag *r, const char *docs, bool no_embed)
{
    const rag_ingest_opts o = {
        .paths = &docs,
        .n_paths = 1,
        .stdin_fd = -1,
        .no_embed = no_embed,
        /* the kept store may have vectors of an older model file */
        .reembed = !no_embed};
    rag_ingest_report report;
    rag_error err;

    must(rag_ingest(&report, r, &o, NULL, &err), &err);
    if (report.n_failed != 0) {
        (void)fprintf(stderr, "a page could not be read\n");
        exit(1);
    }
}

int main(int argc, char **argv)
{
#ifdef WORDS_ONLY
    const char *model = NULL;
#else
    const char *model = getenv("RAG_TEST_MODEL");
#endif
    rag_config cfg = {.retrieve_dense_weight = -1, .embed_model = "none"};
    rag_model_info info;
    rag_json *floors;
    rag_error err;
    rag_buf b;
    char *docs;
    char *store;
    rag *r;

    if (argc != 3)
        return 2;
    must(rag_file_mkdirs(argv[2], &err), &err);
    cfg.cwd = argv[1];
    cfg.data_dir = cfg.state_dir = cfg.cache_dir = argv[2];
    store = rag_file_join(argv[2], "store");
    cfg.store_dir = store;
    docs = rag_file_join(argv[1], "docs");
    rag_buf_init(&b, MAX_FILE_BYTES);
    {
        char *path = rag_file_join(argv[1], "floors.json");

        must(rag_file_read(&b, path, MAX_FILE_BYTES, &err), &err);
        rag_free(path);
    }
    must(rag_json_parse(&floors, rag_buf_str(&b), MAX_FILE_BYTES, "floors.json",
                        &err),
         &err);
    must(rag_open(&r, &cfg, RAG_OPEN_CREATE, 0, &err), &err);
    ingest(r, docs, true);
    measure(r, argv[1], floors, RAG_LEXICAL);
    rag_close(r);
    if (model == NULL) {
        printf("hybrid: left out (RAG_TEST_MODEL does not name the model, or "
               "this is a sanitizer build)\n");
    } else {
        cfg.embed_model = "builtin:e5-small";
        must(rag_model_add(&info, &cfg, model,
                           &(rag_model_add_opts){.name = "e5-small"}, &err),
             &err);
        must(rag_open(&r, &cfg, RAG_OPEN_WRITE, 0, &err), &err);
        ingest(r, docs, false);
        measure(r, argv[1], floors, RAG_HYBRID);
        rag_close(r);
    }
    rag_json_free(floors);
    rag_buf_dispose(&b);
    rag_free(docs);
    rag_free(store);
    return failures == 0 ? 0 : 1;
}

/*
 * bench_cite — the citation check on pairs of anyone's making.
 *
 * usage: bench_cite < PAIRS.jsonl
 *
 * Lines {"claim":"…","source":"…"} in; out, one line each:
 * {"support":…,"score":…,"quote":…,"numbers_ok":…} and what the score is made
 * of. tests/bench/cite.py makes the pairs and the figures.
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "flow/cite.h"
#include "must.h"

#define MAX_LINES_BYTES ((size_t)1 << 30)

static void one(rag_cite *c, rag_str line)
{
    rag_cite_check k;
    rag_json *pair;
    rag_jw *w = rag_jw_new();
    rag_str source;
    rag_buf out;

    rag_buf_init(&out, MAX_LINES_BYTES);
    must(rag_json_parse(&pair, line, MAX_LINES_BYTES, "a pair", &err));
    source = rag_json_get_str(pair, "source");
    must(rag_cite_compare(&k, c, rag_json_get_str(pair, "claim"), source,
                          rag_str_of(""), &err));
    rag_jw_obj(w, NULL);
    rag_jw_strz(w, "support", rag_cite_support(&k));
    rag_jw_num(w, "score", k.score, 4);
    rag_jw_str(w, "quote", rag_str_cut(source, k.quote_start, k.quote_end));
    rag_jw_bool(w, "numbers_ok", k.numbers_ok);
    rag_jw_num(w, "cover", k.cover, 4);
    rag_jw_num(w, "quote_cover", k.quote_cover, 4);
    rag_jw_int(w, "numbers", k.n_numbers);
    rag_jw_int(w, "names", k.n_names);
    rag_jw_int(w, "denied", k.n_denied);
    rag_jw_int(w, "exchanged", k.n_exchanged);
    rag_jw_int(w, "missing", k.n_missing);
    rag_jw_int(w, "content", k.n_content);
    rag_jw_bool(w, "verbatim", k.verbatim);
    rag_jw_end(w);
    must(rag_jw_finish(&out, w, false, &err));
    printf("%.*s\n", (int)out.len, out.ptr);
    rag_buf_dispose(&out);
    rag_jw_free(w);
    rag_json_free(pair);
}

int main(void)
{
    rag_cite *c = rag_cite_new();
    rag_str rest;
    rag_str line;
    rag_buf in;

    rag_buf_init(&in, MAX_LINES_BYTES);
    must(rag_file_read_fd(&in, 0, "standard input", MAX_LINES_BYTES, &err));
    rest = rag_buf_str(&in);
    while (rag_str_next_line(&line, &rest))
        one(c, line);
    rag_buf_dispose(&in);
    rag_cite_free(c);
    return 0;
}

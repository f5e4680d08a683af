#include "flow/eval.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define DEPTH RAG_EVAL_DEPTH
#define TOP ((size_t)10)

/* ---- the measures ------------------------------------------------------- */

static int by_grade(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return *x > *y ? -1 : *x < *y;
}

static double dcg(const double *gains, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n && i < TOP; i++)
        if (gains[i] > 0)
            sum += gains[i] / log2((double)i + 2);
    return sum;
}

void rag_eval_add(rag_eval_result *sums, const double *gains, size_t n_gains,
                  double *grades, size_t n_grades)
{
    size_t n_relevant = 0;
    size_t found = 0;
    size_t in_top = 0;
    double precision = 0;
    double best;

    sums->n_queries++;
    qsort(grades, n_grades, sizeof *grades, by_grade);
    while (n_relevant < n_grades && grades[n_relevant] > 0)
        n_relevant++;
    if (n_relevant == 0)
        return;
    best = dcg(grades, n_relevant);
    for (size_t i = 0; i < n_gains && i < DEPTH; i++) {
        if (gains[i] <= 0)
            continue;
        found++;
        precision += (double)found / (double)(i + 1);
        if (i < TOP) {
            if (found == 1)
                sums->mrr_10 += 1 / (double)(i + 1);
            in_top++;
        }
    }
    sums->ndcg_10 += dcg(gains, n_gains) / best;
    sums->recall_10 += (double)in_top / (double)n_relevant;
    sums->recall_100 += (double)found / (double)n_relevant;
    sums->map_100 += precision / (double)n_relevant;
}

void rag_eval_mean(rag_eval_result *sums)
{
    double n = sums->n_queries != 0 ? (double)sums->n_queries : 1;

    sums->ndcg_10 /= n;
    sums->recall_10 /= n;
    sums->recall_100 /= n;
    sums->mrr_10 /= n;
    sums->map_100 /= n;
}

/* ---- judgments ---------------------------------------------------------- */

/* Up to four fields of a line; returns how many there are, 5 for more. */
static size_t fields(rag_str out[4], rag_str line)
{
    size_t n = 0;

    line = rag_str_trim(line);
    while (line.len != 0) {
        size_t end = 0;

        while (end < line.len && line.ptr[end] != '\t' && line.ptr[end] != ' ')
            end++;
        if (n == 4)
            return 5;
        out[n++] = rag_str_cut(line, 0, end);
        line = rag_str_trim(rag_str_cut(line, end, line.len));
    }
    return n;
}

typedef struct numbered {
    rag_qrel q;
    size_t line_no;
} numbered;

static int by_pair(const void *a, const void *b)
{
    const numbered *x = a;
    const numbered *y = b;
    int c = rag_str_cmp(x->q.query, y->q.query);

    if (c == 0)
        c = rag_str_cmp(x->q.doc, y->q.doc);
    if (c == 0)
        c = x->line_no < y->line_no ? -1 : x->line_no > y->line_no;
    return c;
}

/* Sorted, the last of each pair only, without line numbers. */
static rag_status settle(rag_qrel **out, size_t *n, numbered *list,
                         size_t n_list, rag_error *err)
{
    rag_qrel *kept = rag_calloc(n_list != 0 ? n_list : 1, sizeof *kept);

    if (kept == NULL)
        return rag_fail_nomem(err);
    if (n_list != 0)
        qsort(list, n_list, sizeof *list, by_pair);
    *n = 0;
    for (size_t i = 0; i < n_list; i++) {
        rag_qrel *last = *n != 0 ? &kept[*n - 1] : NULL;

        if (last != NULL && rag_str_eq(last->query, list[i].q.query) &&
            rag_str_eq(last->doc, list[i].q.doc))
            last->grade = list[i].q.grade;
        else
            kept[(*n)++] = list[i].q;
    }
    *out = kept;
    return RAG_OK;
}

rag_status rag_eval_qrels(rag_qrel **out, size_t *n, rag_str text,
                          rag_error *err)
{
    numbered *list = NULL;
    size_t n_list = 0;
    size_t cap = 0;
    size_t line_no = 0;
    rag_str line;
    rag_status st = RAG_OK;

    *out = NULL;
    *n = 0;
    while (rag_str_next_line(&line, &text)) {
        rag_str f[4];
        size_t k = fields(f, line);
        double grade = 0;

        line_no++;
        if (k == 0)
            continue;
        if ((k != 3 && k != 4) || !rag_str_double(&grade, f[k - 1])) {
            if (line_no == 1)
                continue;
            st = rag_fail(err, RAG_E_FORMAT,
                          "line %zu of the judgments is not 'query document "
                          "grade'",
                          line_no);
            goto out;
        }
        if (!rag_mem_grow(&list, &cap, n_list + 1, sizeof *list)) {
            st = rag_fail_nomem(err);
            goto out;
        }
        list[n_list++] = (numbered){{f[0], f[k - 2], grade}, line_no};
    }
    st = settle(out, n, list, n_list, err);
out:
    rag_free(list);
    return st;
}

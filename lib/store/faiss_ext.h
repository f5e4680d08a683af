#ifndef RAG_STORE_FAISS_EXT_H
#define RAG_STORE_FAISS_EXT_H

/*
 * faiss_ext — what we need of FAISS beyond its C headers, exported by
 * faiss_c.cpp next to the functions of those headers: k-means over float16 with
 * a way to stop it, and an inverted file over lists that lie in our own
 * mapping.
 *
 * FAISS parses no bytes here: an index is put together from centroids and list
 * bounds that the caller has checked. Included by vindex.c and faiss_c.cpp
 * only.
 *
 * Errors:  0, or one of the codes below; rag_faiss_error() has the text. No
 *          exception leaves these functions.
 * Threads: one index per thread; the error text is the thread's own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FaissIndex_H FaissIndex; /* as in faiss/c_api/Index_c.h */

#define RAG_FAISS_FAILED (-1)
#define RAG_FAISS_NOMEM (-2)
#define RAG_FAISS_CANCELLED (-3)

/* Text of this thread's last failure in one of the functions below. */
const char *rag_faiss_error(void);
/* "1.7.3" */
const char *rag_faiss_version(void);
/* The calling thread's FAISS calls start no threads from now on. (Those of
 * OpenMP would outlive the call, spin against the threads of BLAS, and hang a
 * forked child that calls FAISS again.) */
void rag_faiss_one_thread(void);

typedef struct rag_faiss_train {
    const uint16_t *rows; /* [n x dims] float16 */
    size_t n;             /* at least n_lists */
    size_t dims;
    size_t n_lists;
    int n_rounds;
    void (*to_float)(float *out, const uint16_t *in, size_t n);
    bool (*cancelled)(void *ctx); /* asked a few times a second; may be NULL */
    void *cancel_ctx;
} rag_faiss_train;

/* k-means; centroids [n_lists x dims] are the means of their points. */
int rag_faiss_kmeans(float *centroids, const rag_faiss_train *t);

/* One inverted list. The arrays are borrowed for the life of the index. */
typedef struct rag_faiss_list {
    const uint16_t *rows; /* [n x dims] float16 */
    const int64_t *ids;   /* [n] */
    size_t n;
    float bonus; /* added to the product of query and centroid */
} rag_faiss_list;

typedef void (*rag_faiss_dots)(float *out, const uint16_t *rows, size_t n,
                               size_t dims, const float *query);

/* An inverted file by inner product over lists [n_lists], whose nearest ones
 * are found by centroids [n_lists x dims] float16. It borrows both; to be freed
 * with faiss_Index_free(). */
int rag_faiss_ivf_new(FaissIndex **out, const uint16_t *centroids,
                      const rag_faiss_list *lists, size_t n_lists, size_t dims,
                      rag_faiss_dots dots);

/* The k best of the n_probe lists nearest to the query among the ids whose bit
 * is set, which acts before the top k is cut: scores [k], ids [k], -1 where
 * there are fewer. Of equal scores the smaller ids stay; the order of equal
 * ones is not defined. */
int rag_faiss_ivf_search(float *scores, int64_t *ids, size_t k,
                         const FaissIndex *ivf, const float *query,
                         size_t n_probe, const uint8_t *allowed,
                         size_t allowed_bytes);

#ifdef __cplusplus
}
#endif

#endif /* RAG_STORE_FAISS_EXT_H */

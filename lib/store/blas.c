#include "store/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/pool.h"

/* More threads gain little for matrices of this size, and every one keeps
 * megabytes of buffers. */
#define MAX_BLAS_THREADS 4u

typedef int fint; /* a Fortran INTEGER, as FAISS and Debian's BLAS have it */

/* Fortran passes the length of every character argument behind the others.
 * FAISS leaves them out; here they are given, as the standard wants. */
typedef size_t flen;

typedef void gemm_s(const char *, const char *, const fint *, const fint *,
                    const fint *, const float *, const float *, const fint *,
                    const float *, const fint *, const float *, float *,
                    const fint *, flen, flen);
typedef void gemm_d(const char *, const char *, const fint *, const fint *,
                    const fint *, const double *, const double *, const fint *,
                    const double *, const fint *, const double *, double *,
                    const fint *, flen, flen);
typedef void syrk_s(const char *, const char *, const fint *, const fint *,
                    const float *, const float *, const fint *, const float *,
                    float *, const fint *, flen, flen);
typedef void threads_fn(int);

/* Written once under the lock, before `ready`; read after `ready`. */
static struct {
    pthread_mutex_t lock;
    atomic_bool ready;
    void *library;
    gemm_s *sgemm;
    gemm_d *dgemm;
    syrk_s *ssyrk;
} blas = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A function of a library into a function pointer, which ISO C has no cast
 * for. false: not there. */
static bool resolve(void *to_pointer, void *library, const char *name)
{
    void *p = dlsym(library, name);

    memcpy(to_pointer, &p, sizeof p);
    return p != NULL;
}

static void few_threads(void *library)
{
    threads_fn *set = NULL;
    size_t n = rag_pool_cpus();

    if (resolve(&set, library, "openblas_set_num_threads"))
        set(n < MAX_BLAS_THREADS ? (int)n : (int)MAX_BLAS_THREADS);
}

static rag_status load_locked(const char *const *sonames, rag_error *err)
{
    const char *why = "no name given";

    for (size_t i = 0; sonames[i] != NULL; i++) {
        void *lib = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);

        if (lib == NULL) {
            why = sonames[i];
            continue;
        }
        if (resolve(&blas.sgemm, lib, "sgemm_") &&
            resolve(&blas.dgemm, lib, "dgemm_") &&
            resolve(&blas.ssyrk, lib, "ssyrk_")) {
            few_threads(lib);
            blas.library = lib;
            atomic_store(&blas.ready, true);
            return RAG_OK;
        }
        why = sonames[i];
        (void)dlclose(lib);
    }
    return rag_fail(
        err, RAG_E_UNSUPPORTED,
        "no BLAS library for building the vector index (%s cannot "
        "be loaded): install the package libopenblas0 (or libblas3)",
        why);
}

rag_status rag_blas_load(const char *const *sonames, rag_error *err)
{
    rag_status st = RAG_OK;

    (void)pthread_mutex_lock(&blas.lock);
    if (!atomic_load(&blas.ready))
        st = load_locked(sonames, err);
    (void)pthread_mutex_unlock(&blas.lock);
    return st;
}

rag_status rag_blas_need(rag_error *err)
{
    static const char *const sonames[] = {"libopenblas.so.0", "libblas.so.3",
                                          NULL};

    return rag_blas_load(sonames, err);
}

bool rag_blas_loaded(void)
{
    return atomic_load(&blas.ready);
}

/* ---- what FAISS refers to ----------------------------------------------- */

/* FAISS declares these by itself; the names are Fortran's. */
int sgemm_(const char *ta, const char *tb, const fint *m, const fint *n,
           const fint *k, const float *alpha, const float *a, const fint *lda,
           const float *b, const fint *ldb, const float *beta, float *c,
           const fint *ldc);
int dgemm_(const char *ta, const char *tb, const fint *m, const fint *n,
           const fint *k, const double *alpha, const double *a, const fint *lda,
           const double *b, const fint *ldb, const double *beta, double *c,
           const fint *ldc);
int ssyrk_(const char *uplo, const char *trans, const fint *n, const fint *k,
           const float *alpha, const float *a, const fint *lda,
           const float *beta, float *c, const fint *ldc);

int sgemm_(const char *ta, const char *tb, const fint *m, const fint *n,
           const fint *k, const float *alpha, const float *a, const fint *lda,
           const float *b, const fint *ldb, const float *beta, float *c,
           const fint *ldc)
{
    if (rag_blas_loaded())
        blas.sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, 1, 1);
    return 0;
}

int dgemm_(const char *ta, const char *tb, const fint *m, const fint *n,
           const fint *k, const double *alpha, const double *a, const fint *lda,
           const double *b, const fint *ldb, const double *beta, double *c,
           const fint *ldc)
{
    if (rag_blas_loaded())
        blas.dgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, 1, 1);
    return 0;
}

int ssyrk_(const char *uplo, const char *trans, const fint *n, const fint *k,
           const float *alpha, const float *a, const fint *lda,
           const float *beta, float *c, const fint *ldc)
{
    if (rag_blas_loaded())
        blas.ssyrk(uplo, trans, n, k, alpha, a, lda, beta, c, ldc, 1, 1);
    return 0;
}

/* LAPACK is wanted by FAISS's matrix transforms and residual quantizers, which
 * no index of ours has: found on the call, reported as LAPACK reports (info
 * below zero) when it is not there. */
static bool lapack(void *to_pointer, const char *name)
{
    void *lib = NULL;

    if (rag_blas_loaded() && resolve(to_pointer, blas.library, name))
        return true;
    lib = dlopen("liblapack.so.3", RTLD_NOW | RTLD_LOCAL);
    return lib != NULL && resolve(to_pointer, lib, name);
}

/* A forwarder: name, parameters, parameters of the real one, arguments. */
#define LAPACK(name, params, real, args)                                       \
    int name params;                                                           \
    int name params                                                            \
    {                                                                          \
        void(*f) real = NULL;                                                  \
                                                                               \
        if (lapack(&f, #name))                                                 \
            f args;                                                            \
        else                                                                   \
            *info = -1;                                                        \
        return 0;                                                              \
    }

/* clang-format off: one matrix routine a paragraph, as in LAPACK's manual */
LAPACK(dsyev_,
       (const char *jobz, const char *uplo, fint *n, double *a, fint *lda,
        double *w, double *work, fint *lwork, fint *info),
       (const char *, const char *, fint *, double *, fint *, double *,
        double *, fint *, fint *, flen, flen),
       (jobz, uplo, n, a, lda, w, work, lwork, info, 1, 1))

#define GESVD(name, real_t)                                                    \
    LAPACK(name,                                                               \
           (const char *jobu, const char *jobvt, fint *m, fint *n, real_t *a,  \
            fint *lda, real_t *s, real_t *u, fint *ldu, real_t *vt,            \
            fint *ldvt, real_t *work, fint *lwork, fint *info),                \
           (const char *, const char *, fint *, fint *, real_t *, fint *,      \
            real_t *, real_t *, fint *, real_t *, fint *, real_t *, fint *,    \
            fint *, flen, flen),                                               \
           (jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, info, \
            1, 1))
GESVD(sgesvd_, float)
GESVD(dgesvd_, double)

LAPACK(sgeqrf_,
       (fint * m, fint *n, float *a, fint *lda, float *tau, float *work,
        fint *lwork, fint *info),
       (fint *, fint *, float *, fint *, float *, float *, fint *, fint *),
       (m, n, a, lda, tau, work, lwork, info))

LAPACK(sorgqr_,
       (fint * m, fint *n, fint *k, float *a, fint *lda, float *tau,
        float *work, fint *lwork, fint *info),
       (fint *, fint *, fint *, float *, fint *, float *, float *, fint *,
        fint *),
       (m, n, k, a, lda, tau, work, lwork, info))

#define GETRF(name, real_t)                                                    \
    LAPACK(name,                                                               \
           (fint * m, fint * n, real_t * a, fint * lda, fint * ipiv,           \
            fint * info),                                                      \
           (fint *, fint *, real_t *, fint *, fint *, fint *),                 \
           (m, n, a, lda, ipiv, info))
GETRF(sgetrf_, float)
GETRF(dgetrf_, double)

#define GETRI(name, real_t)                                                    \
    LAPACK(name,                                                               \
           (fint * n, real_t * a, fint * lda, fint * ipiv, real_t * work,      \
            fint * lwork, fint * info),                                        \
           (fint *, real_t *, fint *, fint *, real_t *, fint *, fint *),       \
           (n, a, lda, ipiv, work, lwork, info))
GETRI(sgetri_, float)
GETRI(dgetri_, double)

LAPACK(sgelsd_,
       (fint * m, fint *n, fint *nrhs, float *a, fint *lda, float *b, fint *ldb,
        float *s, float *rcond, fint *rank, float *work, fint *lwork,
        fint *iwork, fint *info),
       (fint *, fint *, fint *, float *, fint *, float *, fint *, float *,
        float *, fint *, float *, fint *, fint *, fint *),
       (m, n, nrhs, a, lda, b, ldb, s, rcond, rank, work, lwork, iwork, info))
/* clang-format on */

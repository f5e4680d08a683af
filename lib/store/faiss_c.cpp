/*
 * faiss_c — the functions of FAISS's official C headers that we call and that
 * Debian's libfaiss-dev declares but does not compile (left out where CMake
 * finds a real faiss_c: RAG_FAISS_C_FOUND), and our own exports of faiss_ext.h.
 *
 * No exception passes the border: it becomes a code and a text that is kept for
 * the thread without allocating.
 */

#include "store/faiss_ext.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <vector>

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/FaissAssert.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/invlists/InvertedLists.h>

#include <faiss/c_api/Clustering_c.h>
#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/error_c.h>

/* clang has no omp.h without its own OpenMP library; FAISS uses GNU's. */
extern "C" void omp_set_num_threads(int n_threads);

namespace
{

/* kept apart: a real faiss_c has its own text for its own functions */
thread_local char last_error[256];

void keep_error(const char *text) noexcept
{
    (void)std::snprintf(last_error, sizeof last_error, "%s", text);
}

struct Cancelled {
};

/* Runs f and turns whatever it throws into a code of faiss_ext.h. */
template <class F> int guarded(F f) noexcept
{
    try {
        f();
        return 0;
    } catch (const Cancelled &) {
        keep_error("cancelled");
        return RAG_FAISS_CANCELLED;
    } catch (const std::bad_alloc &) {
        keep_error("out of memory");
        return RAG_FAISS_NOMEM;
    } catch (const std::exception &e) {
        keep_error(e.what());
    } catch (...) {
        keep_error("unknown exception");
    }
    return RAG_FAISS_FAILED;
}

} // namespace

/* ---- FAISS's own C headers ---------------------------------------------- */

#ifndef RAG_FAISS_C_FOUND

namespace
{

template <class F> int official(F f) noexcept
{
    try {
        f();
        return 0;
    } catch (const faiss::FaissException &e) {
        keep_error(e.what());
        return FAISS_EXCEPT;
    } catch (const std::exception &e) {
        keep_error(e.what());
        return STD_EXCEPT;
    } catch (...) {
        keep_error("unknown exception");
        return UNKNOWN_EXCEPT;
    }
}

faiss::Index *index_of(FaissIndex *index)
{
    return reinterpret_cast<faiss::Index *>(index);
}

} // namespace

extern "C" {

const char *faiss_get_last_error()
{
    return last_error;
}

int faiss_IndexFlatL2_new_with(FaissIndexFlatL2 **p_index, idx_t d)
{
    return official([=] {
        *p_index =
            reinterpret_cast<FaissIndexFlatL2 *>(new faiss::IndexFlatL2(d));
    });
}

int faiss_Index_add(FaissIndex *index, idx_t n, const float *x)
{
    return official([=] { index_of(index)->add(n, x); });
}

int faiss_Index_assign(FaissIndex *index, idx_t n, const float *x,
                       idx_t *labels, idx_t k)
{
    return official([=] { index_of(index)->assign(n, x, labels, k); });
}

void faiss_Index_free(FaissIndex *obj)
{
    delete index_of(obj);
}

} // extern "C"

#endif /* RAG_FAISS_C_FOUND */

/* ---- training ----------------------------------------------------------- */

namespace
{

/* Rows decoded at a time: a few megabytes, and a fraction of a second between
 * two looks at the cancel flag. */
constexpr size_t decode_rows = 4096;

/* Lets k-means decode our float16 sample block by block. */
struct HalfCodec : faiss::Index {
    const rag_faiss_train &t;

    explicit HalfCodec(const rag_faiss_train &train)
        : faiss::Index(static_cast<idx_t>(train.dims), faiss::METRIC_L2),
          t(train)
    {
    }
    size_t sa_code_size() const override
    {
        return t.dims * sizeof(uint16_t);
    }
    void sa_decode(idx_t n, const uint8_t *bytes, float *x) const override
    {
        /* bytes is a row of t.rows again */
        const size_t at = static_cast<size_t>(
            bytes - reinterpret_cast<const uint8_t *>(t.rows));

        t.to_float(x, t.rows + at / sizeof(uint16_t),
                   static_cast<size_t>(n) * t.dims);
    }
    void add(idx_t, const float *) override
    {
        FAISS_THROW_MSG("a codec holds no vectors");
    }
    void search(idx_t, const float *, idx_t, float *, idx_t *,
                const faiss::SearchParameters *) const override
    {
        FAISS_THROW_MSG("a codec holds no vectors");
    }
    void reset() override
    {
    }
};

/* Assigns points to centroids for k-means; the place where it can be stopped,
 * without FAISS's global interrupt callback. */
struct Assigner : faiss::IndexFlatL2 {
    const rag_faiss_train &t;

    explicit Assigner(const rag_faiss_train &train)
        : faiss::IndexFlatL2(static_cast<idx_t>(train.dims)), t(train)
    {
    }
    void search(idx_t n, const float *x, idx_t k, float *distances,
                idx_t *labels,
                const faiss::SearchParameters *params) const override
    {
        if (t.cancelled != nullptr && t.cancelled(t.cancel_ctx))
            throw Cancelled();
        faiss::IndexFlatL2::search(n, x, k, distances, labels, params);
    }
};

} // namespace

/* ---- searching ---------------------------------------------------------- */

namespace
{

/* Rows scored at a time: the scores stay in the first cache. */
constexpr size_t scan_rows = 256;

struct Bits : faiss::IDSelector {
    const uint8_t *bits;
    uint64_t n_bits;

    Bits(const uint8_t *b, size_t n_bytes)
        : bits(b), n_bits(static_cast<uint64_t>(n_bytes) * 8)
    {
    }
    /* ids come from the file and may be anything */
    bool has(idx_t id) const
    {
        const uint64_t i = static_cast<uint64_t>(id);

        return i < n_bits && ((bits[i / 8] >> (i % 8)) & 1) != 0;
    }
    bool is_member(idx_t id) const override
    {
        return has(id);
    }
};

/* The coarse quantizer over float16 centroids in the caller's mapping: FAISS's
 * own flat index would want a float32 copy, whose page faults cost more than
 * the search, and knows no bonus for a list. */
struct MappedCentroids : faiss::Index {
    const uint16_t *rows;
    const rag_faiss_list *lists;
    rag_faiss_dots dots;

    MappedCentroids(const uint16_t *centroids, const rag_faiss_list *l,
                    size_t n, size_t dims, rag_faiss_dots fn)
        : faiss::Index(static_cast<idx_t>(dims), faiss::METRIC_INNER_PRODUCT),
          rows(centroids), lists(l), dots(fn)
    {
        ntotal = static_cast<idx_t>(n);
    }
    void search(idx_t n, const float *x, idx_t k, float *distances,
                idx_t *labels, const faiss::SearchParameters *) const override
    {
        const size_t n_rows = static_cast<size_t>(ntotal);
        const size_t dims = static_cast<size_t>(d);
        std::vector<float> scores(n_rows);
        std::vector<idx_t> order(n_rows);

        FAISS_THROW_IF_NOT(k <= ntotal);
        for (idx_t q = 0; q < n; q++, x += dims) {
            dots(scores.data(), rows, n_rows, dims, x);
            for (size_t i = 0; i < n_rows; i++) {
                scores[i] += lists[i].bonus;
                if (!(scores[i] == scores[i])) /* NaN has no order */
                    scores[i] = std::numeric_limits<float>::lowest();
            }
            std::iota(order.begin(), order.end(), idx_t{0});
            std::partial_sort(order.begin(), order.begin() + k, order.end(),
                              [&](idx_t a, idx_t b) {
                                  const float sa =
                                      scores[static_cast<size_t>(a)];
                                  const float sb =
                                      scores[static_cast<size_t>(b)];

                                  return sa > sb || (!(sb > sa) && a < b);
                              });
            for (idx_t i = 0; i < k; i++) {
                *labels++ = order[static_cast<size_t>(i)];
                *distances++ =
                    scores[static_cast<size_t>(order[static_cast<size_t>(i)])];
            }
        }
    }
    void add(idx_t, const float *) override
    {
        FAISS_THROW_MSG("mapped centroids are read-only");
    }
    void reset() override
    {
        FAISS_THROW_MSG("mapped centroids are read-only");
    }
};

/* Lists in the caller's mapping. Nothing can be written to them. */
struct MappedLists : faiss::InvertedLists {
    const rag_faiss_list *lists;

    MappedLists(const rag_faiss_list *l, size_t n_lists, size_t row_bytes)
        : faiss::InvertedLists(n_lists, row_bytes), lists(l)
    {
    }
    size_t list_size(size_t list_no) const override
    {
        FAISS_THROW_IF_NOT(list_no < nlist);
        return lists[list_no].n;
    }
    const uint8_t *get_codes(size_t list_no) const override
    {
        FAISS_THROW_IF_NOT(list_no < nlist);
        return reinterpret_cast<const uint8_t *>(lists[list_no].rows);
    }
    const idx_t *get_ids(size_t list_no) const override
    {
        FAISS_THROW_IF_NOT(list_no < nlist);
        return lists[list_no].ids;
    }
    size_t add_entries(size_t, size_t, const idx_t *, const uint8_t *) override
    {
        FAISS_THROW_MSG("mapped lists are read-only");
    }
    void update_entries(size_t, size_t, size_t, const idx_t *,
                        const uint8_t *) override
    {
        FAISS_THROW_MSG("mapped lists are read-only");
    }
    void resize(size_t, size_t) override
    {
        FAISS_THROW_MSG("mapped lists are read-only");
    }
};

/* Is (score, id) a worse hit than (score2, id2)? Of equal scores the larger id
 * is worse, so that the same hits stay whatever the order of the lists. */
inline bool worse(float s, int64_t id, float s2, int64_t id2)
{
    return s < s2 || (!(s2 < s) && id > id2);
}

/* FAISS's scanner decodes float16 in plain C in Debian's build (no F16C), five
 * times slower than ours, and its scores could differ in the last bits from the
 * exact ones over the blobs. */
struct HalfScanner : faiss::InvertedListScanner {
    size_t dims;
    rag_faiss_dots dots;
    const float *query = nullptr;

    HalfScanner(size_t d, rag_faiss_dots fn, const faiss::IDSelector *s)
        : faiss::InvertedListScanner(false, s), dims(d), dots(fn)
    {
        keep_max = true;
        code_size = d * sizeof(uint16_t);
    }
    void set_query(const float *q) override
    {
        query = q;
    }
    void set_list(idx_t no, float) override
    {
        list_no = no;
    }
    float distance_to_code(const uint8_t *code) const override
    {
        float s = 0;

        dots(&s, rows_at(code), 1, dims, query);
        return s;
    }
    size_t scan_codes(size_t n, const uint8_t *codes, const idx_t *ids,
                      float *scores, idx_t *labels, size_t k) const override
    {
        const uint16_t *rows = rows_at(codes);
        const Bits *bits = static_cast<const Bits *>(sel);
        float block[scan_rows];
        size_t n_updates = 0;

        for (size_t i = 0; i < n;) {
            const size_t run =
                run_of(bits, ids + i, std::min(scan_rows, n - i));

            if (run == 0) {
                i++;
                continue;
            }
            dots(block, rows + i * dims, run, dims, query);
            for (size_t j = 0; j < run; j++)
                n_updates += keep(scores, labels, k, block[j], ids[i + j]);
            i += run;
        }
        return n_updates;
    }

  private:
    static const uint16_t *rows_at(const uint8_t *code)
    {
        /* lists are aligned in the file, rows have an even size */
        return reinterpret_cast<const uint16_t *>(
            static_cast<const void *>(code));
    }
    /* How many of the first n ids are allowed without a gap. */
    static size_t run_of(const Bits *bits, const idx_t *ids, size_t n)
    {
        size_t run = 0;

        while (run < n && (bits == nullptr || bits->has(ids[run])))
            run++;
        return run;
    }
    /* Puts a hit in place of the worst one, which is the heap's root. */
    static size_t keep(float *scores, idx_t *labels, size_t k, float s,
                       idx_t id)
    {
        size_t at = 0;

        /* written so that NaN is never kept */
        if (!(s > scores[0]) && !(s >= scores[0] && id < labels[0]))
            return 0;
        for (;;) {
            size_t child = 2 * at + 1;

            if (child >= k)
                break;
            if (child + 1 < k && worse(scores[child + 1], labels[child + 1],
                                       scores[child], labels[child]))
                child++;
            if (!worse(scores[child], labels[child], s, id))
                break;
            scores[at] = scores[child];
            labels[at] = labels[child];
            at = child;
        }
        scores[at] = s;
        labels[at] = id;
        return 1;
    }
};

struct MappedIvf : faiss::IndexIVFScalarQuantizer {
    rag_faiss_dots dots;

    MappedIvf(faiss::Index *coarse, size_t dims, size_t n_lists,
              rag_faiss_dots fn)
        : faiss::IndexIVFScalarQuantizer(coarse, dims, n_lists,
                                         faiss::ScalarQuantizer::QT_fp16,
                                         faiss::METRIC_INNER_PRODUCT, false),
          dots(fn)
    {
        own_fields = false; /* until it is put together */
    }
    faiss::InvertedListScanner *
    get_InvertedListScanner(bool, const faiss::IDSelector *s) const override
    {
        return new HalfScanner(static_cast<size_t>(d), dots, s);
    }
};

} // namespace

/* ---- our exports -------------------------------------------------------- */

#define RAG_STR2(x) #x
#define RAG_STR(x) RAG_STR2(x)

extern "C" {

const char *rag_faiss_error(void)
{
    return last_error;
}

const char *rag_faiss_version(void)
{
    return RAG_STR(FAISS_VERSION_MAJOR) "." RAG_STR(
        FAISS_VERSION_MINOR) "." RAG_STR(FAISS_VERSION_PATCH);
}

void rag_faiss_one_thread(void)
{
    omp_set_num_threads(1);
}

int rag_faiss_kmeans(float *centroids, const rag_faiss_train *t)
{
    return guarded([=] {
        faiss::ClusteringParameters cp;

        cp.niter = t->n_rounds;
        cp.min_points_per_centroid = 1; /* the caller has decided; no print */
        cp.max_points_per_centroid =
            static_cast<int>(std::min<size_t>(t->n / t->n_lists + 1, 1u << 20));
        cp.decode_block_size = decode_rows;

        faiss::Clustering clus(static_cast<int>(t->dims),
                               static_cast<int>(t->n_lists), cp);
        HalfCodec codec(*t);
        Assigner assigner(*t);

        clus.train_encoded(static_cast<faiss::Index::idx_t>(t->n),
                           reinterpret_cast<const uint8_t *>(t->rows), &codec,
                           assigner);
        std::copy(clus.centroids.begin(), clus.centroids.end(), centroids);
    });
}

int rag_faiss_ivf_new(FaissIndex **out, const uint16_t *centroids,
                      const rag_faiss_list *lists, size_t n_lists, size_t dims,
                      rag_faiss_dots dots)
{
    *out = nullptr;
    return guarded([=] {
        auto coarse = std::make_unique<MappedCentroids>(centroids, lists,
                                                        n_lists, dims, dots);
        auto ivf =
            std::make_unique<MappedIvf>(coarse.get(), dims, n_lists, dots);
        size_t total = 0;

        coarse.release();
        ivf->own_fields = true;
        for (size_t i = 0; i < n_lists; i++)
            total += lists[i].n;
        ivf->replace_invlists(
            new MappedLists(lists, n_lists, dims * sizeof(uint16_t)), true);
        ivf->is_trained = true;
        ivf->ntotal = static_cast<faiss::Index::idx_t>(total);
        *out = reinterpret_cast<FaissIndex *>(
            static_cast<faiss::Index *>(ivf.release()));
    });
}

int rag_faiss_ivf_search(float *scores, int64_t *ids, size_t k,
                         const FaissIndex *ivf, const float *query,
                         size_t n_probe, const uint8_t *allowed,
                         size_t allowed_bytes)
{
    return guarded([=] {
        Bits bits(allowed, allowed_bytes);
        faiss::SearchParametersIVF params;

        params.nprobe = n_probe;
        params.sel = &bits;
        reinterpret_cast<const faiss::Index *>(ivf)->search(
            1, query, static_cast<faiss::Index::idx_t>(k), scores, ids,
            &params);
    });
}

} // extern "C"

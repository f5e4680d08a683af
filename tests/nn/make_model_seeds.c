/* Writes small model files, the corpus of tests/fuzz/fuzz_weights.c:
 * make_model_seeds FOLDER */
#define RANDOM_HIDDEN 32u
#define RANDOM_HEADS 1u
#define RANDOM_FFN 32u
#define RANDOM_WINDOW 8u
#define RANDOM_VOCAB 16u
#include "nn_random.h"

#include "nn/encoder.h"

static const random_model models[] = {
    {"xlmr_labels", RAG_ARCH_BERT, true, RAG_POOL_CLS, RAG_HEAD_XLMR, 3,
     RAG_ACT_GELU, false},
    {"modernbert_score", RAG_ARCH_MODERNBERT, false, RAG_POOL_CLS,
     RAG_HEAD_MODERNBERT, 1, RAG_ACT_GELU, false}};

int main(int argc, char **argv)
{
    size_t n = argc == 2 ? sizeof models / sizeof models[0] : 0;

    for (size_t i = 0; i < n; i++) {
        char path[4096];
        rag_source s;
        rag_error err;

        (void)snprintf(path, sizeof path, "%s/%s", argv[1], models[i].name);
        random_source(&s, &models[i]);
        if (rag_pack(path, &s, models[i].name, &err) != RAG_OK) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
        rag_source_close(&s);
    }
    return n == 0 ? 2 : 0;
}

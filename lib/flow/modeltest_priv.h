#ifndef RAG_FLOW_MODELTEST_PRIV_H
#define RAG_FLOW_MODELTEST_PRIV_H

/* Shared by the modeltest*.c files only: the lines of `rag model test`, and the
 * texts that both kinds of models are asked about. */

#include "flow/flow_priv.h"

typedef struct rag_model_tester {
    const rag_config *cfg;
    rag_check_fn fn;
    void *ctx;
    bool other; /* another model is tested, too: this one may be missing */
} rag_model_tester;

/* One line. state "fail": code says what kind; RAG_E_FORMAT is a model that
 * answers, but wrongly. */
void rag_model_test_say(const rag_model_tester *t, const char *state,
                        rag_status code, const char *what, const char *mend,
                        const char *fmt, ...) RAG_PRINTF(6, 7);

/* Failures that are not the model's: they end the test. */
bool rag_model_test_ours(rag_status st);

/* One thing said in two languages, and other things said in both. Every
 * question belongs to the passage of its number. */
#define RAG_MODEL_TEST_TOPICS 4u
extern const char *const rag_model_test_question[2][RAG_MODEL_TEST_TOPICS];
extern const char *const rag_model_test_passage[2][RAG_MODEL_TEST_TOPICS];
/* Every control character, invisible ones, an emoji of several parts. */
extern const char rag_model_test_controls[];

/* Appends running text of about n_tokens (estimated). seed: another text. */
void rag_model_test_prose(rag_buf *out, uint32_t n_tokens, unsigned seed);

rag_status rag_model_test_embed(const rag_model_tester *t, rag_error *err);
/* *is_one: the reranker of the settings is a built-in model of several labels,
 * and this has tested it as what it is. */
rag_status rag_model_test_pairs(bool *is_one, const rag_model_tester *t,
                                rag_error *err);
rag_status rag_model_test_rerank(const rag_model_tester *t, rag_error *err);

#endif /* RAG_FLOW_MODELTEST_PRIV_H */

#ifndef RAG_CLI_MODEL_TEST_H
#define RAG_CLI_MODEL_TEST_H

/*
 * model_test — `rag model test [MODEL]`: the embedding model and the reranker
 * of the settings, or the one that is named.
 */

#include "cmd.h"

/* model NULL: those of the settings. Returns the exit code. */
int model_test(cmd_run *run, const char *model, rag_error *err);

#endif /* RAG_CLI_MODEL_TEST_H */

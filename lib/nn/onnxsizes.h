#ifndef RAG_NN_ONNXSIZES_H
#define RAG_NN_ONNXSIZES_H

/*
 * onnxsizes — architecture, head and sizes of a model without a config.json,
 * out of its graph: which tensors there are, what is reshaped to heads, which
 * constant a norm adds.
 *
 * Errors:  RAG_E_FORMAT, RAG_E_UNSUPPORTED: the graph does not tell, or tells
 *          of what the encoder does not know.
 * Threads: safe.
 */

#include "nn/onnxgraph.h"
#include "nn/source.h"

/* Refuses operators that hold weights in a way that is not read. */
RAG_NODISCARD rag_status rag_onnxsizes_known(const rag_onnxgraph *g,
                                             rag_error *err);
/* Sets arch, head and the pooling that a head wants. */
RAG_NODISCARD rag_status rag_onnxsizes_arch(rag_source *s,
                                            const rag_onnxgraph *g,
                                            rag_error *err);
/* Sets hidden, ffn, n_layers, n_heads, act and norm_eps. The tensors must have
 * been added. */
RAG_NODISCARD rag_status rag_onnxsizes_guess(rag_source *s,
                                             const rag_onnxgraph *g,
                                             rag_error *err);
/* Do the optimiser's Attention nodes what the encoder does? */
RAG_NODISCARD rag_status rag_onnxsizes_attention(const rag_source *s,
                                                 const rag_onnxgraph *g,
                                                 rag_error *err);

#endif /* RAG_NN_ONNXSIZES_H */

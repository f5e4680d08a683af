#ifndef RAG_NN_HFNAMES_H
#define RAG_NN_HFNAMES_H

/*
 * hfnames — tensor names as PyTorch's model classes give them ("bert.encoder.
 * layer.0.attention.self.query.weight") say what a tensor is for. Safetensors
 * and ONNX files share them.
 *
 * Owns:    nothing.
 * Errors:  none.
 * Threads: safe.
 */

#include "nn/source.h"

/* false: a tensor of that name is not needed. */
bool rag_hfnames_find(rag_source_part *part, uint32_t *layer,
                      rag_source_arch arch, rag_source_head head, rag_str name);

/* Is the part a matrix (else a vector)? */
bool rag_hfnames_is_matrix(rag_source_part part);

#endif /* RAG_NN_HFNAMES_H */

#ifndef RAG_NN_FOREIGN_H
#define RAG_NN_FOREIGN_H

/*
 * foreign — a path becomes a source: which format it is, is told by what is in
 * the file or folder, never by its name alone.
 *
 * A folder: model.safetensors (or its shards) first; else the one ONNX file in
 * it (model.onnx, onnx/model.onnx), else the one GGUF file.
 *
 * Owns:    the source, until rag_source_close().
 * Errors:  those of the importers; RAG_E_INVAL for wrong options.
 * Threads: safe.
 */

#include "nn/encoder.h"
#include "nn/source.h"

/* opts may be NULL. On failure *out is empty. */
RAG_NODISCARD rag_status rag_foreign_open(rag_source *out, const char *path,
                                          const rag_encoder_import_opts *opts,
                                          rag_error *err);

#endif /* RAG_NN_FOREIGN_H */

#!/usr/bin/env python3
"""Makes tests/data/import/NAME.ids and NAME.f16: what ONNX Runtime (fp32) and
Hugging Face tokenizers make of tests/data/nn/texts.txt with real models.

    sh tests/nn/fetch_imports.sh MODELS
    VENV/bin/pip install numpy onnxruntime tokenizers
    VENV/bin/python tests/nn/make_import_reference.py MODELS tests/data

    NAME.ids   token ids: u16 how many, then u16 each; a text after the other
    NAME.f16   unit vectors, float16

Nothing of the project runs here.
"""
import os
import struct
import sys

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

MODELS = {"e5-small-v2": "mean", "bge-small-en-v1.5": "cls",
          "all-minilm-l6-v2-int8": "mean"}


def main():
    folder, data = sys.argv[1:]
    with open(os.path.join(data, "nn", "texts.txt"), encoding="utf-8") as f:
        texts = f.read().split("\n")[:-1]
    for name, pooling in MODELS.items():
        at = os.path.join(folder, name, name)
        tok = Tokenizer.from_file(at + "-tokenizer.json")
        tok.no_padding()
        tok.enable_truncation(512)
        run = ort.InferenceSession(at + ".onnx",
                                   providers=["CPUExecutionProvider"])
        out = os.path.join(data, "import", name)
        with open(out + ".ids", "wb") as ids_file, \
                open(out + ".f16", "wb") as vectors:
            for text in texts:
                ids = tok.encode(text).ids
                ids_file.write(struct.pack("<H%dH" % len(ids), len(ids), *ids))
                x = np.array([ids], dtype=np.int64)
                v = run.run(None, {"input_ids": x,
                                   "attention_mask": np.ones_like(x),
                                   "token_type_ids": np.zeros_like(x)})[0][0]
                v = v[0] if pooling == "cls" else v.mean(axis=0)
                v = v / np.sqrt((v * v).sum())
                vectors.write(v.astype(np.float16).tobytes())


main()

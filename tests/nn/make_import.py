#!/usr/bin/env python3
"""Makes tests/data/import: small files in the foreign formats that the
importers read, and what must come out, by the formats' own Python packages.

usage: make_import.py OUTPUT_FOLDER     (numpy, gguf, safetensors, onnx)

Nothing of the project runs in it. The same bytes every time.
"""
import os
import struct
import sys

import gguf
import numpy as np

OUT = sys.argv[1]

# name of our enum (in its order), gguf's type
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K",
         "Q5_K", "Q6_K", "IQ4_NL"]
# where the half-precision scales of a block lie
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
          "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
          "IQ4_NL": [0]}


def blocks(rng, kind, n):
    """n random blocks of a quantised type, their scales finite."""
    size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    raw = rng.integers(0, 256, (n, size[1]), dtype=np.uint8)
    for at in HALVES.get(kind, []):
        d = (rng.standard_normal(n) * 0.05).astype(np.float16)
        d[:1] = np.float16(6e-8)  # subnormal
        raw[:, at:at + 2] = d.view(np.uint8).reshape(n, 2)
    return raw


def dtypes():
    """u32 type, values, bytes; the bytes; the values as float32. For each."""
    rng = np.random.default_rng(1)
    with open(os.path.join(OUT, "dtypes.bin"), "wb") as f:
        for no, kind in enumerate(TYPES):
            t = gguf.GGMLQuantizationType[kind]
            if kind in HALVES:
                raw = blocks(rng, kind, 3)
            else:
                x = rng.standard_normal(40).astype(np.float32)
                x[:6] = [0, -0.0, 1e-7, 65504, -1, 6e-8]
                if kind == "F32":
                    raw = x.view(np.uint8)
                elif kind == "F16":
                    raw = x.astype(np.float16).view(np.uint8)
                else:
                    raw = (x.view(np.uint32) >> 16).astype(np.uint16).view(
                        np.uint8)
            if kind == "F32":
                y = raw.reshape(-1).view(np.float32)
            elif kind == "F16":
                y = raw.reshape(-1).view(np.float16).astype(np.float32)
            else:
                y = gguf.quants.dequantize(raw, t).astype(np.float32)
            y = y.reshape(-1)
            f.write(struct.pack("<III", no, y.size, raw.size))
            f.write(raw.tobytes())
            f.write(y.tobytes())


def main():
    os.makedirs(OUT, exist_ok=True)
    dtypes()


main()

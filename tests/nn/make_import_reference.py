#!/usr/bin/env python3
"""Makes tests/data/import/uncased.ids and NAME.f16: what Hugging Face
tokenizers, ONNX Runtime and transformers (all in fp32) make of
tests/data/nn/texts.txt with real models.

    sh tests/nn/fetch_imports.sh MODELS
    VENV/bin/pip install numpy onnx onnxruntime tokenizers torch transformers
    VENV/bin/python tests/nn/make_import_reference.py MODELS tests/data

    uncased.ids  token ids, not cut, the same for every model here: u16 how
                 many, then u16 each; a text after the other
    NAME.f16     unit vectors, float16; of a text over the window as cut there

Nothing of the project runs here.
"""
import os
import struct
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from tokenizers import Tokenizer

# pooling, window
MODELS = {"e5-small-v2": ("mean", 512), "bge-small-en-v1.5": ("cls", 512),
          "all-minilm-l6-v2-int8": ("mean", 512),
          "all-minilm-l6-v2-q": ("mean", 512),
          "paraphrase-minilm-l3-v2": ("mean", 512),
          "all-minilm-l6-v2": ("mean", 256)}  # a Hugging Face folder


def unquantised(path):
    """The same weights without rounded activations: each MatMulInteger of ONNX
    Runtime's dynamic quantiser becomes a MatMul with (q - zero) * scale."""
    model = onnx.load(path)
    graph = model.graph
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    maker = {o: n for n in graph.node for o in n.output}
    user = {i: n for n in graph.node for i in n.input}
    drop = set()
    for n in [n for n in graph.node if n.op_type == "MatMulInteger"]:
        rounded = maker[n.input[0]]
        base = n.input[1].removesuffix("_quantized")
        cast = user[n.output[0]]
        scaled = user[cast.output[0]]
        w = (stored[n.input[1]].astype(np.float32) -
             stored[n.input[3]].astype(np.float32)) * stored[base + "_scale"]
        graph.initializer.append(
            numpy_helper.from_array(w.astype(np.float32), base + "_f32"))
        n.CopyFrom(helper.make_node("MatMul", [rounded.input[0], base + "_f32"],
                                    [scaled.output[0]], n.name))
        drop |= {rounded.name, cast.name, scaled.name}
        drop |= {maker[i].name for i in scaled.input if i in maker}
    kept = [n for n in graph.node
            if n.name not in drop or n.op_type == "MatMul"]
    del graph.node[:]
    graph.node.extend(kept)
    return model.SerializeToString() if drop else path


def onnx_states(folder, name):
    ort.set_default_logger_severity(3)
    run = ort.InferenceSession(
        unquantised(os.path.join(folder, name, name + ".onnx")),
        providers=["CPUExecutionProvider"])
    inputs = {i.name for i in run.get_inputs()}
    states = [o.name for o in run.get_outputs() if len(o.shape) == 3][0]

    def states_of(x):
        given = {"input_ids": x, "attention_mask": np.ones_like(x),
                 "token_type_ids": np.zeros_like(x)}
        return run.run([states], {k: given[k] for k in inputs})[0][0]
    return states_of


def folder_states(folder, name):
    import torch
    import transformers
    model = transformers.AutoModel.from_pretrained(
        os.path.join(folder, name), dtype=torch.float32).eval()

    def states_of(x):
        with torch.no_grad():
            return model(input_ids=torch.from_numpy(x)).last_hidden_state[
                0].numpy()
    return states_of


def tokens_of(folder, name, texts):
    at = os.path.join(folder, name, name + "-tokenizer.json")
    if not os.path.exists(at):
        at = os.path.join(folder, name, "tokenizer.json")
    tok = Tokenizer.from_file(at)
    tok.no_padding()
    tok.no_truncation()
    return [tok.encode(t).ids for t in texts]


def main():
    folder, data = sys.argv[1:3]
    with open(os.path.join(data, "nn", "texts.txt"), encoding="utf-8") as f:
        texts = f.read().split("\n")[:-1]
    first = None
    for name in sys.argv[3:] or MODELS:
        pooling, window = MODELS[name]
        lists = tokens_of(folder, name, texts)
        first = first or lists
        assert lists == first, name
        is_onnx = os.path.exists(os.path.join(folder, name, name + ".onnx"))
        states_of = (onnx_states if is_onnx else folder_states)(folder, name)
        with open(os.path.join(data, "import", name + ".f16"), "wb") as out:
            for ids in lists:
                if len(ids) > window:
                    ids = ids[:window - 1] + ids[-1:]
                v = states_of(np.array([ids], dtype=np.int64))
                v = v[0] if pooling == "cls" else v.mean(axis=0)
                v = v / np.sqrt((v * v).sum())
                out.write(v.astype(np.float16).tobytes())
    with open(os.path.join(data, "import", "uncased.ids"), "wb") as out:
        for ids in first:
            out.write(struct.pack("<H%dH" % len(ids), len(ids), *ids))


main()

#!/usr/bin/env python3
"""Makes tests/data/import: small files in the foreign formats that the
importers read, and what must come out, by the formats' own Python packages.

usage: make_import.py OUTPUT_FOLDER     (numpy ml_dtypes gguf safetensors onnx onnxruntime)

Nothing of the project runs in it. The same bytes every time.
"""
import os
import struct
import sys

import gguf
import numpy as np
import onnx
from onnx import helper, numpy_helper

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


# ---- models: two layers, 32 wide, 256 in the feed-forward part (the K types
# need rows of 256), random ------------------------------------------------

HIDDEN, HEADS, FFN, LAYERS, WINDOW = 32, 2, 256, 2, 16
SMALL = 64  # the feed-forward part where no K type is

# the order of rag_source_part in lib/nn/source.h
PARTS = """WORDS POSITIONS TYPES EMBED_NORM_W EMBED_NORM_B Q_W Q_B K_W K_B V_W
V_B QKV_W QKV_B MIX_W MIX_B NORM1_W NORM1_B UP_W UP_B DOWN_W DOWN_B NORM2_W
NORM2_B FINAL_NORM_W FINAL_NORM_B HEAD_DENSE_W HEAD_DENSE_B HEAD_NORM_W
HEAD_NORM_B HEAD_OUT_W HEAD_OUT_B""".split()

expected = []


def expect(file, part, layer, values, transposed=0):
    """A line of expect.txt: sums that a wrong order or value changes."""
    x = np.asarray(values, dtype=np.float64)
    x = x.reshape(1, -1) if x.ndim == 1 else x
    flat = x.reshape(-1)
    weights = np.arange(flat.size) % 7 + 1
    expected.append("%s %d %d %d %d %d %.9g %.9g %.9g\n" % (
        file, PARTS.index(part), layer, transposed, x.shape[0], x.shape[1],
        flat.sum(), np.abs(flat).sum(), (flat * weights).sum()))


def rnd(rng, *shape):
    return (rng.standard_normal(shape) * 0.1).astype(np.float32)


WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "a",
              "b", "##b", "##c", "hello", "world", "##ing", "."]
# SentencePiece as XLM-R has it: four specials in front
SPIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "a", "b", "ab",
           "\u2581a", "\u2581hello", "c", "<mask>"]


def bert(rng, n_vocab, n_types=2, n_pos=WINDOW, ffn=FFN):
    """(part, layer) -> values, of a BERT."""
    w = {("WORDS", 0): rnd(rng, n_vocab, HIDDEN),
         ("POSITIONS", 0): rnd(rng, n_pos, HIDDEN),
         ("TYPES", 0): rnd(rng, n_types, HIDDEN),
         ("EMBED_NORM_W", 0): 1 + rnd(rng, HIDDEN),
         ("EMBED_NORM_B", 0): rnd(rng, HIDDEN)}
    for n in range(LAYERS):
        for p in "Q", "K", "V", "MIX":
            w[p + "_W", n] = rnd(rng, HIDDEN, HIDDEN)
            w[p + "_B", n] = rnd(rng, HIDDEN)
        w["UP_W", n] = rnd(rng, ffn, HIDDEN)
        w["UP_B", n] = rnd(rng, ffn)
        w["DOWN_W", n] = rnd(rng, HIDDEN, ffn)
        w["DOWN_B", n] = rnd(rng, HIDDEN)
        for p in "NORM1", "NORM2":
            w[p + "_W", n] = 1 + rnd(rng, HIDDEN)
            w[p + "_B", n] = rnd(rng, HIDDEN)
    return w


def head(rng, w, n_labels):
    w["HEAD_DENSE_W", 0] = rnd(rng, HIDDEN, HIDDEN)
    w["HEAD_DENSE_B", 0] = rnd(rng, HIDDEN)
    w["HEAD_OUT_W", 0] = rnd(rng, n_labels, HIDDEN)
    w["HEAD_OUT_B", 0] = rnd(rng, n_labels)


def modern(rng, n_vocab, ffn=FFN):
    w = {("WORDS", 0): rnd(rng, n_vocab, HIDDEN),
         ("EMBED_NORM_W", 0): 1 + rnd(rng, HIDDEN),
         ("FINAL_NORM_W", 0): 1 + rnd(rng, HIDDEN)}
    for n in range(LAYERS):
        if n != 0:
            w["NORM1_W", n] = 1 + rnd(rng, HIDDEN)
        w["QKV_W", n] = rnd(rng, 3 * HIDDEN, HIDDEN)
        w["MIX_W", n] = rnd(rng, HIDDEN, HIDDEN)
        w["NORM2_W", n] = 1 + rnd(rng, HIDDEN)
        w["UP_W", n] = rnd(rng, 2 * ffn, HIDDEN)
        w["DOWN_W", n] = rnd(rng, HIDDEN, ffn)
    return w


# ---- GGUF ------------------------------------------------------------------

GGUF_TOP = {"WORDS": "token_embd.weight", "POSITIONS": "position_embd.weight",
            "TYPES": "token_types.weight",
            "EMBED_NORM_W": "token_embd_norm.weight",
            "EMBED_NORM_B": "token_embd_norm.bias",
            "FINAL_NORM_W": "output_norm.weight",
            "HEAD_DENSE_W": "cls.weight", "HEAD_DENSE_B": "cls.bias",
            "HEAD_OUT_W": "cls.output.weight",
            "HEAD_OUT_B": "cls.output.bias"}
GGUF_LAYER = {"Q": "attn_q", "K": "attn_k", "V": "attn_v", "QKV": "attn_qkv",
              "MIX": "attn_output", "UP": "ffn_up", "DOWN": "ffn_down"}
GGUF_NORMS = {"bert": {"NORM1": "attn_output_norm",
                       "NORM2": "layer_output_norm"},
              "modern-bert": {"NORM1": "attn_norm", "NORM2": "ffn_norm"}}


def gguf_name(arch, part, layer):
    if part in GGUF_TOP:
        return GGUF_TOP[part]
    stem, kind = part.rsplit("_", 1)
    stem = {**GGUF_LAYER, **GGUF_NORMS[arch]}[stem]
    return "blk.%d.%s.%s" % (layer, stem, "weight" if kind == "W" else "bias")


def gguf_tensor(out, file, arch, part, layer, values, kind, rng):
    """Writes it as `kind`; expects what the package itself reads back."""
    name = gguf_name(arch, part, layer)
    t = gguf.GGMLQuantizationType[kind]
    if kind == "F32":
        out.add_tensor(name, values)
        expect(file, part, layer, values)
        return
    try:
        raw = gguf.quants.quantize(values, t)
    except NotImplementedError:  # K types: any bytes are a number
        per_row = values.shape[1] // gguf.GGML_QUANT_SIZES[t][0]
        raw = blocks(rng, kind, values.shape[0] * per_row)
        raw = raw.reshape(values.shape[0], -1)
    if kind == "F16":
        back = raw.astype(np.float32)
        out.add_tensor(name, raw)
    else:
        back = gguf.quants.dequantize(raw, t)
        out.add_tensor(name, raw, raw_dtype=t)
    expect(file, part, layer, back)


def gguf_head(path, arch, heads=HEADS):
    out = gguf.GGUFWriter(path, arch)
    out.add_name("random")
    out.add_license("cc0-1.0")
    out.add_context_length(WINDOW)
    out.add_embedding_length(HIDDEN)
    out.add_feed_forward_length(FFN)
    out.add_block_count(LAYERS)
    out.add_head_count(heads)
    out.add_layer_norm_eps(1e-5)
    out.add_causal_attention(False)
    return out


def gguf_finish(out):
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def gguf_bert():
    rng = np.random.default_rng(2)
    out = gguf_head(os.path.join(OUT, "bert.gguf"), "bert")
    out.add_pooling_type(gguf.PoolingType.CLS)
    out.add_tokenizer_model("bert")
    out.add_tokenizer_pre("default")
    control = set(WORDPIECES[:5])
    out.add_token_list([t if t in control else t[2:] if t[:2] == "##"
                        else "\u2581" + t for t in WORDPIECES])
    out.add_token_types([3 if t in control else 1 for t in WORDPIECES])
    out.add_token_type_count(2)
    out.add_unk_token_id(1)
    out.add_sep_token_id(3)
    out.add_pad_token_id(0)
    out.add_bos_token_id(2)
    out.add_mask_token_id(4)
    kinds = {("WORDS", 0): "Q8_0", ("POSITIONS", 0): "F16",
             ("Q_W", 0): "Q4_0", ("K_W", 0): "Q4_1", ("V_W", 0): "Q5_0",
             ("MIX_W", 0): "Q5_1", ("UP_W", 0): "IQ4_NL", ("DOWN_W", 0): "Q4_K",
             ("Q_W", 1): "BF16", ("K_W", 1): "F16", ("UP_W", 1): "Q8_0",
             ("DOWN_W", 1): "Q6_K"}
    for (part, layer), v in bert(rng, len(WORDPIECES)).items():
        gguf_tensor(out, "bert.gguf", "bert", part, layer, v,
                    kinds.get((part, layer), "F32"), rng)
    gguf_finish(out)


def gguf_reranker():
    rng = np.random.default_rng(3)
    out = gguf_head(os.path.join(OUT, "reranker.gguf"), "bert")
    out.add_pooling_type(gguf.PoolingType.RANK)
    out.add_tokenizer_model("t5")
    out.add_tokenizer_pre("default")
    out.add_token_list(SPIECES)
    out.add_token_scores([0.0] * 4 + [-1.5 - i for i in range(7)] + [0.0])
    out.add_token_types([3, 3, 3, 2] + [1] * 7 + [4])
    out.add_add_space_prefix(True)
    out.add_remove_extra_whitespaces(False)
    out.add_precompiled_charsmap(bytes([4, 0, 0, 0, 1, 2, 3, 4, 65, 0]))
    out.add_bos_token_id(0)
    out.add_eos_token_id(2)
    out.add_unk_token_id(3)
    out.add_sep_token_id(2)
    out.add_pad_token_id(1)
    out.add_mask_token_id(11)
    w = bert(rng, len(SPIECES), 1)
    head(rng, w, 1)
    for (part, layer), v in w.items():
        kind = "Q5_K" if part == "DOWN_W" else "F32" if v.ndim == 1 else "Q8_0"
        gguf_tensor(out, "reranker.gguf", "bert", part, layer, v, kind, rng)
    gguf_finish(out)


def byte_letters():
    """GPT-2's letters for the 256 bytes."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b if b in own else 256 + b - sum(o < b for o in own))
            for b in range(256)]


def gguf_modern():
    rng = np.random.default_rng(4)
    out = gguf_head(os.path.join(OUT, "modern.gguf"), "modern-bert", 1)
    out.add_pooling_type(gguf.PoolingType.MEAN)
    out.add_rope_freq_base(160000.0)
    out.add_float32("modern-bert.rope.freq_base_swa", 10000.0)
    out.add_sliding_window(8)
    out.add_uint32("modern-bert.attention.sliding_window_pattern", 2)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("modern-bert")
    tokens = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "a", "b", "c",
              "\u0120", "ab", "\u0120ab", "abc", "  "]
    tokens += [c for c in byte_letters() if c not in tokens]
    out.add_token_list(tokens)
    out.add_token_types([3] * 5 + [1] * 7 + [4] + [1] * (len(tokens) - 13))
    out.add_token_merges(["a b", "\u0120 ab", "ab c"])
    for i, name in enumerate(["unk", "bos", "sep", "pad", "mask"]):
        getattr(out, "add_%s_token_id" % name)(i)
    for (part, layer), v in modern(rng, len(tokens)).items():
        kind = "F32" if v.ndim == 1 else "Q4_0"
        gguf_tensor(out, "modern.gguf", "modern-bert", part, layer, v, kind,
                    rng)
    gguf_finish(out)


# ---- ONNX ------------------------------------------------------------------

class Graph:
    """A BERT as PyTorch exports it: named biases, turned matrices without a
    name, node names that tell the module."""

    def __init__(self, w):
        self.w, self.nodes, self.stored, self.n = w, [], [], 0

    def store(self, name, values):
        self.stored.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op, inputs, name="", **attributes):
        self.n += 1
        out = "t%d" % self.n
        self.nodes.append(helper.make_node(op, inputs, [out], name, **attributes))
        return out

    def linear(self, x, part, layer, module, node_names):
        turned = np.ascontiguousarray(self.w[part + "_W", layer].T)
        matrix = self.store("onnx::MatMul_%d" % (1500 + self.n), turned)
        bias = self.store(module + ".bias", self.w[part + "_B", layer])
        y = self.node("MatMul", [x, matrix],
                      "/" + module.replace(".", "/").replace("layer/", "layer.")
                      + "/MatMul" if node_names else "MatMul_%d" % self.n)
        return self.node("Add", [bias, y] if layer else [y, bias])

    def norm(self, x, part, layer, module):
        return self.node("LayerNormalization", [
            x, self.store(module + ".weight", self.w[part + "_W", layer]),
            self.store(module + ".bias", self.w[part + "_B", layer])],
            axis=-1, epsilon=1e-5)

    def heads(self, x):
        y = self.node("Reshape", [x, "heads_shape"])
        return self.node("Transpose", [y], perm=[0, 2, 1, 3])

    def build(self, prefix=""):
        e = prefix + "embeddings."
        one = np.float32(1)
        self.store("heads_shape", np.array([0, -1, HEADS, HIDDEN // HEADS]))
        self.store("flat_shape", np.array([0, -1, HIDDEN]))
        root = self.store("root", np.float32(np.sqrt(HIDDEN // HEADS)))
        root2 = self.store("root2", np.float32(np.sqrt(2)))
        one = self.store("one", np.float32(1))
        half = self.store("half", np.float32(0.5))
        parts = [("WORDS", "word_embeddings", "input_ids"),
                 ("TYPES", "token_type_embeddings", "token_type_ids"),
                 ("POSITIONS", "position_embeddings", "position_ids")]
        x = None
        for part, name, ids in parts:
            t = self.store(e + name + ".weight", self.w[part, 0])
            y = self.node("Gather", [t, ids])
            x = y if x is None else self.node("Add", [x, y])
        x = self.norm(x, "EMBED_NORM", 0, e + "LayerNorm")
        for n in range(LAYERS):
            m = prefix + "encoder.layer.%d." % n
            q, k, v = (self.heads(self.linear(x, p, n, m + "attention.self." + s,
                                              n == 0))
                       for p, s in (("Q", "query"), ("K", "key"),
                                    ("V", "value")))
            k = self.node("Transpose", [k], perm=[0, 1, 3, 2])
            a = self.node("Div", [self.node("MatMul", [q, k]), root])
            a = self.node("MatMul", [self.node("Softmax", [a], axis=-1), v])
            a = self.node("Transpose", [a], perm=[0, 2, 1, 3])
            a = self.node("Reshape", [a, "flat_shape"])
            a = self.linear(a, "MIX", n, m + "attention.output.dense", n == 0)
            x = self.norm(self.node("Add", [a, x]), "NORM1", n,
                          m + "attention.output.LayerNorm")
            u = self.linear(x, "UP", n, m + "intermediate.dense", n == 0)
            g = self.node("Add", [self.node("Erf", [
                self.node("Div", [u, root2])]), one])
            g = self.node("Mul", [self.node("Mul", [u, g]), half])
            d = self.linear(g, "DOWN", n, m + "output.dense", n == 0)
            x = self.norm(self.node("Add", [d, x]), "NORM2", n,
                          m + "output.LayerNorm")
        return x

    def model(self, shape=("batch", "length", HIDDEN)):
        self.nodes[-1].output[0] = "out"
        ids = [helper.make_tensor_value_info(n, onnx.TensorProto.INT64,
                                             ["batch", "length"])
               for n in ("input_ids", "token_type_ids", "position_ids")]
        y = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, shape)
        return helper.make_model(
            helper.make_graph(self.nodes, "g", ids, [y], self.stored),
            opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def is_turned(part):
    return part in ("Q_W", "K_W", "V_W", "MIX_W", "UP_W", "DOWN_W")


def onnx_bert():
    w = bert(np.random.default_rng(5), len(WORDPIECES), ffn=SMALL)
    g = Graph(w)
    g.build("bert.")
    model = g.model()
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, "bert.onnx"))
    for (part, layer), v in w.items():
        v = v.T if is_turned(part) else v
        expect("bert.onnx", part, layer, v, is_turned(part))
    return w, model


def onnx_int8(w, model):
    """By ONNX Runtime's own quantiser: MatMulInteger, zero points."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    path = os.path.join(OUT, "int8.onnx")
    quantize_dynamic(os.path.join(OUT, "bert.onnx"), path, per_channel=True,
                     weight_type=QuantType.QUInt8)
    q = onnx.load(path)
    t = {i.name: numpy_helper.to_array(i) for i in q.graph.initializer}
    names = {}  # turned matrix's name -> part
    for i in model.graph.initializer:
        a = numpy_helper.to_array(i)
        for key, v in w.items():
            if a.shape == v.T.shape and np.array_equal(a, v.T) \
                    or a.shape == v.shape and np.array_equal(a, v):
                names[i.name] = key
    for name, (part, layer) in names.items():
        if name + "_quantized" in t:
            v = ((t[name + "_quantized"].astype(np.float64)
                  - t[name + "_zero_point"].astype(np.float64))
                 * t[name + "_scale"].astype(np.float64))
        else:
            v = t[name]
        expect("int8.onnx", part, layer, v, is_turned(part))


def onnx_cast(w):
    """Matrices as int8 behind Cast and Mul, one scale an output."""
    g = Graph(w)
    g.build()
    model = g.model()
    nodes, stored, front = list(model.graph.node), [], []
    for i in model.graph.initializer:
        a = numpy_helper.to_array(i)
        if a.ndim != 2 or a.shape[0] < 8:
            stored.append(i)
            continue
        axis = 0 if i.name.startswith("onnx::") else 1
        scale = (np.abs(a).max(axis=axis, keepdims=True) / 127).astype(
            np.float32)
        q = np.clip(np.rint(a / scale), -127, 127).astype(np.int8)
        stored += [numpy_helper.from_array(q, i.name + "_q"),
                   numpy_helper.from_array(scale, i.name + "_scale")]
        front += [helper.make_node("Cast", [i.name + "_q"], [i.name + "_f"],
                                   to=onnx.TensorProto.FLOAT),
                  helper.make_node("Mul", [i.name + "_f", i.name + "_scale"],
                                   [i.name])]
    del model.graph.node[:]
    model.graph.node.extend(front + nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(stored)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, "cast.onnx"))
    for (part, layer), v in w.items():
        if v.ndim == 2 and v.shape[0] >= 8:
            s = np.abs(v).max(axis=1, keepdims=True) / np.float32(127)
            v = np.clip(np.rint(v / s), -127, 127).astype(np.float64) * s
        v = v.T if is_turned(part) else v
        expect("cast.onnx", part, layer, v, is_turned(part))


def onnx_fused():
    """As ONNX Runtime's optimiser joins nodes; GELU approximated in layer 0.
    Layer 1 has no names that tell its place but those of the biases."""
    w = bert(np.random.default_rng(8), len(WORDPIECES), ffn=SMALL)
    g = Graph(w)
    ms = {"domain": "com.microsoft"}

    def vectors(part, layer, module):
        return [g.store(module + ".weight", w[part + "_W", layer]),
                g.store(module + ".bias", w[part + "_B", layer])]

    def product(x, part, layer, module):
        turned = np.ascontiguousarray(w[part + "_W", layer].T)
        m = g.store("onnx::MatMul_%d" % (1500 + g.n), turned)
        g.store(module + ".bias", w[part + "_B", layer])
        return g.node("MatMul", [x, m], "MatMul_%d" % g.n if layer else
                      "/" + module.replace(".", "/").replace("layer/", "layer.")
                      + "/MatMul")

    x = g.node("EmbedLayerNormalization", ["input_ids", "token_type_ids"] + [
        g.store("embeddings." + name + ".weight", w[part, 0])
        for part, name in (("WORDS", "word_embeddings"),
                           ("POSITIONS", "position_embeddings"),
                           ("TYPES", "token_type_embeddings"))
    ] + vectors("EMBED_NORM", 0, "embeddings.LayerNorm"), epsilon=1e-5, **ms)
    fused = {}
    for n in range(LAYERS):
        m = "encoder.layer.%d." % n
        fused["QKV_W", n] = np.ascontiguousarray(np.concatenate(
            [w[p + "_W", n] for p in "QKV"]).T)
        fused["QKV_B", n] = np.concatenate([w[p + "_B", n] for p in "QKV"])
        a = g.node("Attention", [
            x, g.store("Attention_%d_qkv_weight" % n, fused["QKV_W", n]),
            g.store("Attention_%d_qkv_bias" % n, fused["QKV_B", n])],
            num_heads=HEADS, unidirectional=0, **ms)
        a = product(a, "MIX", n, m + "attention.output.dense")
        x = g.node("SkipLayerNormalization", [a, x] + vectors(
            "NORM1", n, m + "attention.output.LayerNorm") + [
                m + "attention.output.dense.bias"], epsilon=1e-5, **ms)
        u = product(x, "UP", n, m + "intermediate.dense")
        u = g.node("BiasGelu" if n else "FastGelu",
                   [u, m + "intermediate.dense.bias"], **ms)
        u = product(u, "DOWN", n, m + "output.dense")
        x = g.node("SkipLayerNormalization", [u, x] + vectors(
            "NORM2", n, m + "output.LayerNorm") + [m + "output.dense.bias"],
            epsilon=1e-5, **ms)
    model = g.model()
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, "fused.onnx"))
    for (part, layer), v in {**w, **fused}.items():
        if part[0] in "QKV" and part[1] == "_":
            continue
        turned = is_turned(part) or part == "QKV_W"
        expect("fused.onnx", part, layer,
               v.T if is_turned(part) else v, turned)


def onnx_reranker():
    """RoBERTa's positions (CumSum) and head, the head as Gemm."""
    rng = np.random.default_rng(6)
    w = bert(rng, len(SPIECES), 1, WINDOW + 2, SMALL)
    head(rng, w, 1)
    g = Graph(w)
    x = g.build("roberta.")
    g.store("axis", np.int64(1))
    g.store("zero", np.int64(0))
    g.nodes.append(helper.make_node("CumSum", ["input_ids", "axis"], ["sums"]))
    x = g.node("Gather", [x, "zero"], axis=1)
    for part, name in ("HEAD_DENSE", "dense"), ("HEAD_OUT", "out_proj"):
        m = "classifier." + name
        x = g.node("Gemm", [x, g.store(m + ".weight", w[part + "_W", 0]),
                            g.store(m + ".bias", w[part + "_B", 0])],
                   "/classifier/" + name + "/Gemm", transB=1)
        x = g.node("Tanh", [x]) if name == "dense" else x
    model = g.model(("batch", 1))
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, "reranker.onnx"))
    for (part, layer), v in w.items():
        v = v.T if is_turned(part) else v
        expect("reranker.onnx", part, layer, v, is_turned(part))


def onnx_modern():
    """No biases: the nodes' names alone tell which matrix it is. Half floats."""
    w = modern(np.random.default_rng(7), 9, SMALL)
    names = {"QKV_W": "attn/Wqkv", "MIX_W": "attn/Wo", "UP_W": "mlp/Wi",
             "DOWN_W": "mlp/Wo"}
    own = {"WORDS": "embeddings.tok_embeddings", "EMBED_NORM_W":
           "embeddings.norm", "FINAL_NORM_W": "final_norm",
           "NORM1_W": "layers.%d.attn_norm", "NORM2_W": "layers.%d.mlp_norm"}
    nodes, stored = [], []
    for (part, layer), v in w.items():
        v = v.astype(np.float16)
        if part in names:
            v = np.ascontiguousarray(v.T)
            name = "onnx::MatMul_%d" % (len(nodes) + 100)
            nodes.append(helper.make_node(
                "MatMul", ["x", name], ["m%d" % len(nodes)],
                "/model/layers.%d/%s/MatMul" % (layer, names[part])))
        else:
            name = own[part] % layer if "%" in own[part] else own[part]
            name = "model.%s.weight" % name
            if part == "WORDS":
                nodes.append(helper.make_node("Gather", [name, "input_ids"],
                                              ["x"]))
        stored.append(numpy_helper.from_array(v, name))
        expect("modern.onnx", part, layer, v, part in names)
    out = helper.make_tensor_value_info("m1", onnx.TensorProto.FLOAT16, None)
    ids = helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64,
                                        ["n"])
    onnx.save(helper.make_model(
        helper.make_graph(nodes, "g", [ids], [out], stored)),
        os.path.join(OUT, "modern.onnx"))


# ---- safetensors -----------------------------------------------------------

HF_TOP = {"WORDS": "embeddings.word_embeddings.weight",
          "POSITIONS": "embeddings.position_embeddings.weight",
          "TYPES": "embeddings.token_type_embeddings.weight",
          "EMBED_NORM": "embeddings.LayerNorm"}
HF_LAYER = {"Q": "attention.self.query", "K": "attention.self.key",
            "V": "attention.self.value", "MIX": "attention.output.dense",
            "NORM1": "attention.output.LayerNorm", "UP": "intermediate.dense",
            "DOWN": "output.dense", "NORM2": "output.LayerNorm"}


def hf_name(part, layer):
    if part in HF_TOP:
        return HF_TOP[part]
    stem, kind = part.rsplit("_", 1)
    kind = ".weight" if kind == "W" else ".bias"
    if stem in HF_TOP:
        return HF_TOP[stem] + kind
    return "encoder.layer.%d.%s%s" % (layer, HF_LAYER[stem], kind)


def hf_folder():
    """An XLM-R in two shards: half floats in one, bfloat16 in the other."""
    import json

    import ml_dtypes
    from safetensors.numpy import save_file
    at = os.path.join(OUT, "hf-e5-base")
    os.makedirs(os.path.join(at, "1_Pooling"), exist_ok=True)
    w = bert(np.random.default_rng(8), len(SPIECES), 1, WINDOW + 2, SMALL)
    shards = [{"embeddings.position_ids": np.arange(4, dtype=np.int64)[None]},
              {"pooler.dense.weight": np.zeros((2, 2), np.float16)}]
    where = {}
    for (part, layer), v in w.items():
        name = hf_name(part, layer)
        v = v.astype(np.float16 if layer == 0 else ml_dtypes.bfloat16)
        shards[layer][name] = v
        where[name] = "model-%05d-of-00002.safetensors" % (layer + 1)
        if part == "POSITIONS":
            v = v[2:]
        expect("hf-e5-base", part, layer, v.astype(np.float32))
    for n, shard in enumerate(shards):
        name = "model-%05d-of-00002.safetensors" % (n + 1)
        save_file(shard, os.path.join(at, name), {"format": "pt"})

    def put(name, value):
        with open(os.path.join(at, name), "w") as f:
            f.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    put("model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    put("config.json", {
        "model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"],
        "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "intermediate_size": SMALL,
        "hidden_act": "gelu", "layer_norm_eps": 1e-5, "pad_token_id": 1,
        "max_position_embeddings": WINDOW + 2, "type_vocab_size": 1,
        "position_embedding_type": "absolute"})
    put("modules.json", [
        {"idx": i, "name": str(i), "path": p, "type":
         "sentence_transformers.models." + t} for i, (p, t) in enumerate(
             [("", "Transformer"), ("1_Pooling", "Pooling"),
              ("2_Normalize", "Normalize")])])
    put("1_Pooling/config.json", {"word_embedding_dimension": HIDDEN,
                                  "pooling_mode_cls_token": False,
                                  "pooling_mode_mean_tokens": True})
    put("sentence_bert_config.json", {"max_seq_length": 12,
                                      "do_lower_case": False})
    put("tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": SPIECES[i], "single_word": False,
             "lstrip": False, "rstrip": False, "normalized": False,
             "special": True} for i in (0, 1, 2, 3, 11)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "\u2581",
             "add_prefix_space": True}]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                     {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "</s>", "type_id": 0}},
                     {"SpecialToken": {"id": "</s>", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}},
                     {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {
                t: {"id": t, "ids": [SPIECES.index(t)], "tokens": [t]}
                for t in ("<s>", "</s>")}},
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": [
            [t, 0.0 if i < 4 or i == 11 else -1.5 - (i - 4)]
            for i, t in enumerate(SPIECES)]}})
    with open(os.path.join(at, "README.md"), "w") as f:
        f.write("---\nlicense: cc0-1.0\n---\n# Random numbers\n")


def main():
    os.makedirs(OUT, exist_ok=True)
    dtypes()
    gguf_bert()
    gguf_reranker()
    gguf_modern()
    w, model = onnx_bert()
    onnx_int8(w, model)
    onnx_cast(w)
    onnx_fused()
    onnx_reranker()
    onnx_modern()
    hf_folder()
    with open(os.path.join(OUT, "expect.txt"), "w") as f:
        f.writelines(expected)


main()

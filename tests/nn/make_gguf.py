#!/usr/bin/env python3
"""A BERT's Hugging Face folder as a GGUF file, as llama.cpp's converter writes
it with --outtype f16: make_gguf.py FOLDER FILE. Standard library only; uncased
WordPiece, float32 safetensors, mean pooling."""
import json
import os
import struct
import sys

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
NORMAL, CONTROL = 1, 3
TOP = {"embeddings.word_embeddings": "token_embd",
       "embeddings.position_embeddings": "position_embd",
       "embeddings.token_type_embeddings": "token_types",
       "embeddings.LayerNorm": "token_embd_norm"}
LAYER = {"attention.self.query": "attn_q", "attention.self.key": "attn_k",
         "attention.self.value": "attn_v",
         "attention.output.dense": "attn_output",
         "attention.output.LayerNorm": "attn_output_norm",
         "intermediate.dense": "ffn_up", "output.dense": "ffn_down",
         "output.LayerNorm": "layer_output_norm"}


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def pair(key, kind, value):
    head = text(key) + struct.pack("<I", kind)
    if kind == STRING:
        return head + text(value)
    if kind == ARRAY:
        of, values = value
        head += struct.pack("<IQ", of, len(values))
        if of == STRING:
            return head + b"".join(map(text, values))
        return head + struct.pack("<%di" % len(values), *values)
    return head + struct.pack({U32: "<I", F32: "<f", BOOL: "<?"}[kind], value)


def tensor_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem in TOP:
        return TOP[stem] + "." + kind
    part = stem.split(".", 3)
    if part[:2] == ["encoder", "layer"] and part[3] in LAYER:
        return "blk.%s.%s.%s" % (part[2], LAYER[part[3]], kind)
    return None  # the pooler, position_ids


def tensors(path):
    """name, shape, type (0: F32, 1: F16), bytes of each."""
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        base = 8 + n
        for key, t in header.items():
            name = tensor_name(key) if key != "__metadata__" else None
            if name is None:
                continue
            assert t["dtype"] == "F32", key
            first, end = t["data_offsets"]
            f.seek(base + first)
            raw = f.read(end - first)
            half = len(t["shape"]) == 2 and name not in (
                "position_embd.weight", "token_types.weight")
            if half:
                count = len(raw) // 4
                raw = struct.pack("<%de" % count,
                                  *struct.unpack("<%df" % count, raw))
            yield name, t["shape"], int(half), raw


def vocabulary(folder):
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        tok = json.load(f)
    control = {t["content"] for t in tok["added_tokens"] if t["special"]}
    words = sorted(tok["model"]["vocab"].items(), key=lambda w: w[1])
    ids = {w: i for w, i in words}
    shown = [w if w in control else w[2:] if w.startswith("##")
             else "\u2581" + w for w, _ in words]
    types = [CONTROL if w in control else NORMAL for w, _ in words]
    pairs = [pair("tokenizer.ggml.model", STRING, "bert"),
             pair("tokenizer.ggml.pre", STRING, "jina-v2-en"),
             pair("tokenizer.ggml.token_type_count", U32, 2),
             pair("tokenizer.ggml.tokens", ARRAY, (STRING, shown)),
             pair("tokenizer.ggml.token_type", ARRAY, (I32, types))]
    for key, word in (("unknown", "[UNK]"), ("seperator", "[SEP]"),
                      ("padding", "[PAD]"), ("cls", "[CLS]"),
                      ("mask", "[MASK]")):
        pairs.append(pair("tokenizer.ggml.%s_token_id" % key, U32, ids[word]))
    return pairs


def main(folder, out):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        c = json.load(f)
    pairs = [pair("general.architecture", STRING, "bert"),
             pair("general.name", STRING, "All MiniLM L6 v2"),
             pair("general.license", STRING, "apache-2.0"),
             pair("general.file_type", U32, 1),
             pair("bert.block_count", U32, c["num_hidden_layers"]),
             pair("bert.context_length", U32, c["max_position_embeddings"]),
             pair("bert.embedding_length", U32, c["hidden_size"]),
             pair("bert.feed_forward_length", U32, c["intermediate_size"]),
             pair("bert.attention.head_count", U32, c["num_attention_heads"]),
             pair("bert.attention.layer_norm_epsilon", F32,
                  c["layer_norm_eps"]),
             pair("bert.attention.causal", BOOL, False),
             pair("bert.pooling_type", U32, 1)] + vocabulary(folder)
    infos, data = [], b""
    parts, at = [], 0
    for name, shape, kind, raw in tensors(
            os.path.join(folder, "model.safetensors")):
        infos.append(text(name) + struct.pack(
            "<I%dQIQ" % len(shape), len(shape), *reversed(shape), kind, at))
        raw += b"\0" * (-len(raw) % 32)
        parts.append(raw)
        at += len(raw)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(infos), len(pairs))
    data = head + b"".join(pairs) + b"".join(infos)
    with open(out + ".new", "wb") as f:
        f.write(data + b"\0" * (-len(data) % 32))
        f.writelines(parts)
    os.rename(out + ".new", out)


main(sys.argv[1], sys.argv[2])

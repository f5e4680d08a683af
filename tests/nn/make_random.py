#!/usr/bin/env python3
"""Makes tests/data/nn/random: what the engine gives on small random models.

    python3 -m venv VENV && VENV/bin/pip install numpy torch transformers tokenizers
    VENV/bin/python tests/nn/make_random.py tests/data/nn/random

Nothing of the project runs here: the models are those of transformers, run in
fp32; pairs are cut by tokenizers. Their weights are numbers that both this
script and tests/unit/nn_random.h make from a hash, so only what comes out is
stored: NAME.f32, a vector (or the logits) a text (or a pair), little-endian.
"""
import os
import sys

import numpy as np
import torch
import transformers as tf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

HIDDEN, HEADS, FFN, WINDOW, VOCAB, LOCAL = 64, 2, 128, 128, 200, 16
LENGTHS = [0, 1, 2, 7, 17, 31, 60, 90, 125]
BOS, PAD, EOS, UNK, SPACE, FIRST = 0, 1, 2, 3, 4, 5
# numbers of the parts in lib/nn/source.h, one behind the other
PARTS = ("WORDS POSITIONS TYPES EMBED_NORM_W EMBED_NORM_B Q_W Q_B K_W K_B V_W "
         "V_B QKV_W QKV_B MIX_W MIX_B NORM1_W NORM1_B UP_W UP_B DOWN_W DOWN_B "
         "NORM2_W NORM2_B FINAL_NORM_W FINAL_NORM_B HEAD_DENSE_W HEAD_DENSE_B "
         "HEAD_NORM_W HEAD_NORM_B HEAD_OUT_W HEAD_OUT_B").split()


def mix(seed, n):
    """n numbers of 32 bits (murmur3's last step over a counter)."""
    with np.errstate(over="ignore"):
        h = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9)
        h = h + np.uint32(seed * 0x85EBCA6B & 0xFFFFFFFF)
        for shift, by in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            h = (h ^ (h >> np.uint32(shift))) * np.uint32(by)
        return h ^ (h >> np.uint32(16))


def values(part, layer, shape):
    n = int(np.prod(shape))
    x = (mix(1 + PARTS.index(part) * 64 + layer, n) >> np.uint32(8)
         ).astype(np.float32) / np.float32(8388608) - np.float32(1)
    if part.endswith("NORM_W") or part in ("NORM1_W", "NORM2_W"):
        x = np.float32(1) + np.float32(0.25) * x
    elif part.endswith("_B"):
        x = np.float32(0.125) * x
    elif part in ("POSITIONS", "TYPES"):
        x = np.float32(0.5) * x
    elif part != "WORDS":  # [.. x 64] and [.. x 128]: near 1.7 / sqrt(inputs)
        x = np.float32(0.1875 if shape[1] == HIDDEN else 0.140625) * x
    return torch.from_numpy(x.reshape(shape))


BERT = [
    ("embeddings.word_embeddings.weight", "WORDS"),
    ("embeddings.position_embeddings.weight", "POSITIONS"),
    ("embeddings.token_type_embeddings.weight", "TYPES"),
    ("embeddings.LayerNorm.weight", "EMBED_NORM_W"),
    ("embeddings.LayerNorm.bias", "EMBED_NORM_B"),
    ("encoder.layer.%d.attention.self.query.weight", "Q_W"),
    ("encoder.layer.%d.attention.self.query.bias", "Q_B"),
    ("encoder.layer.%d.attention.self.key.weight", "K_W"),
    ("encoder.layer.%d.attention.self.key.bias", "K_B"),
    ("encoder.layer.%d.attention.self.value.weight", "V_W"),
    ("encoder.layer.%d.attention.self.value.bias", "V_B"),
    ("encoder.layer.%d.attention.output.dense.weight", "MIX_W"),
    ("encoder.layer.%d.attention.output.dense.bias", "MIX_B"),
    ("encoder.layer.%d.attention.output.LayerNorm.weight", "NORM1_W"),
    ("encoder.layer.%d.attention.output.LayerNorm.bias", "NORM1_B"),
    ("encoder.layer.%d.intermediate.dense.weight", "UP_W"),
    ("encoder.layer.%d.intermediate.dense.bias", "UP_B"),
    ("encoder.layer.%d.output.dense.weight", "DOWN_W"),
    ("encoder.layer.%d.output.dense.bias", "DOWN_B"),
    ("encoder.layer.%d.output.LayerNorm.weight", "NORM2_W"),
    ("encoder.layer.%d.output.LayerNorm.bias", "NORM2_B"),
]
DISTIL = [(n, p) for n, p in BERT[:5] if p != "TYPES"] + [
    ("transformer.layer.%d.attention." + n + k, p + e)
    for n, p in (("q_lin.", "Q_"), ("k_lin.", "K_"), ("v_lin.", "V_"),
                 ("out_lin.", "MIX_"))
    for k, e in (("weight", "W"), ("bias", "B"))] + [
    ("transformer.layer.%d." + n + k, p + e)
    for n, p in (("sa_layer_norm.", "NORM1_"), ("ffn.lin1.", "UP_"),
                 ("ffn.lin2.", "DOWN_"), ("output_layer_norm.", "NORM2_"))
    for k, e in (("weight", "W"), ("bias", "B"))]
MODERN = [
    ("embeddings.tok_embeddings.weight", "WORDS"),
    ("embeddings.norm.weight", "EMBED_NORM_W"),
    ("layers.%d.attn_norm.weight", "NORM1_W"),
    ("layers.%d.attn.Wqkv.weight", "QKV_W"),
    ("layers.%d.attn.Wo.weight", "MIX_W"),
    ("layers.%d.mlp_norm.weight", "NORM2_W"),
    ("layers.%d.mlp.Wi.weight", "UP_W"),
    ("layers.%d.mlp.Wo.weight", "DOWN_W"),
    ("final_norm.weight", "FINAL_NORM_W"),
]
HEADS_OF = {
    "bert": [("bert.pooler.dense.weight", "HEAD_DENSE_W"),
             ("bert.pooler.dense.bias", "HEAD_DENSE_B"),
             ("classifier.weight", "HEAD_OUT_W"),
             ("classifier.bias", "HEAD_OUT_B")],
    "roberta": [("classifier.dense.weight", "HEAD_DENSE_W"),
                ("classifier.dense.bias", "HEAD_DENSE_B"),
                ("classifier.out_proj.weight", "HEAD_OUT_W"),
                ("classifier.out_proj.bias", "HEAD_OUT_B")],
    "model": [("head.dense.weight", "HEAD_DENSE_W"),
              ("head.norm.weight", "HEAD_NORM_W"),
              ("classifier.weight", "HEAD_OUT_W"),
              ("classifier.bias", "HEAD_OUT_B")],
}


def fill(model, names, layers, prefix, head):
    """Every parameter that counts from its part; the rest keeps its place."""
    have = dict(model.named_parameters())
    used = set()
    todo = [(prefix + n, p) for n, p in names] + head
    for name, part in todo:
        for i in range(layers if "%d" in name else 1):
            full = name % i if "%d" in name else name
            if part == "NORM1_W" and full not in have:
                continue  # ModernBERT's first layer
            w = have[full]
            shape = tuple(w.shape)
            if part == "POSITIONS":  # XLM-R: two rows that are never used
                w.data.zero_()
                w.data[shape[0] - WINDOW:] = values(part, i, (WINDOW, HIDDEN))
            else:
                w.data.copy_(values(part, i, shape))
            used.add(full)
    left = [n for n in have if n not in used and "pooler" not in n]
    assert not left, left


def make(kind, labels, pooling, act):
    common = dict(vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=FFN,
                  num_attention_heads=HEADS, pad_token_id=PAD,
                  bos_token_id=BOS, eos_token_id=EOS)
    if labels:
        common["num_labels"] = labels
    common["hidden_activation" if kind == "modernbert" else "hidden_act"] = act
    if kind == "bert":
        c = tf.BertConfig(num_hidden_layers=2, max_position_embeddings=WINDOW,
                          type_vocab_size=2, layer_norm_eps=1e-12, **common)
        m = (tf.BertForSequenceClassification if labels else tf.BertModel)(c)
        prefix, names, layers = "bert.", BERT, 2
    elif kind == "distil":
        c = tf.DistilBertConfig(vocab_size=VOCAB, dim=HIDDEN, hidden_dim=FFN,
                                n_layers=2, n_heads=HEADS, activation=act,
                                max_position_embeddings=WINDOW)
        m, prefix, names, layers = tf.DistilBertModel(c), "distil.", DISTIL, 2
    elif kind == "xlmr":
        c = tf.XLMRobertaConfig(num_hidden_layers=2, layer_norm_eps=1e-5,
                                max_position_embeddings=WINDOW + 2,
                                type_vocab_size=1, **common)
        m = (tf.XLMRobertaForSequenceClassification if labels
             else tf.XLMRobertaModel)(c)
        prefix, names, layers = "roberta.", BERT, 2
    else:
        c = tf.ModernBertConfig(
            num_hidden_layers=4, max_position_embeddings=WINDOW,
            global_attn_every_n_layers=3, local_attention=LOCAL,
            global_rope_theta=160000.0, local_rope_theta=10000.0,
            classifier_pooling="mean" if pooling == "mean" else "cls",
            cls_token_id=BOS, sep_token_id=EOS,
            **common)
        m = (tf.ModernBertForSequenceClassification if labels
             else tf.ModernBertModel)(c)
        prefix, names, layers = "model.", MODERN, 4
    head = HEADS_OF[prefix[:-1]] if labels else []
    fill(m, names, layers, prefix if labels else "", head)
    return m.eval()


def text(j):
    n = LENGTHS[j % len(LENGTHS)]
    return [SPACE] * (n > 0) + [FIRST + int(v % (VOCAB - FIRST))
                                for v in mix(9000 + j, n)]


def tokenizer(double):
    t = Tokenizer(models.WordLevel({"t%d" % i: i for i in range(VOCAB)},
                                   unk_token="t3"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.post_processor = processors.TemplateProcessing(
        single="t0 $A t2",
        pair="t0 $A t2 t2 $B t2" if double else "t0 $A t2 $B:1 t2:1",
        special_tokens=[("t0", 0), ("t2", 2)])
    t.enable_truncation(WINDOW, strategy="longest_first")
    return t


def words(ids):
    return " ".join("t%d" % i for i in ids)


def run(name, kind, labels, pooling, act="gelu"):
    model = make(kind, labels, pooling, act)
    tok = tokenizer(kind == "xlmr")
    out = []
    n = len(LENGTHS)
    for j in range(n):
        if labels:
            e = tok.encode(words(text(j)), words(text(n + (j * 4 + 3) % n)))
        else:
            e = tok.encode(words(text(j)))
        args = {"input_ids": torch.tensor([e.ids]),
                "attention_mask": torch.ones(1, len(e.ids), dtype=torch.long)}
        if kind == "bert":
            args["token_type_ids"] = torch.tensor([e.type_ids])
        with torch.no_grad():
            r = model(**args)
        if labels:
            out.append(r.logits[0].numpy())
            continue
        h = r.last_hidden_state[0].numpy().astype(np.float64)
        place = np.arange(1, len(h) + 1)[:, None]
        v = {"mean": h.mean(0), "cls": h[0], "last": h[-1], "max": h.max(0),
             "weighted": (h * place).sum(0)}[pooling]
        out.append(v / np.linalg.norm(v))
    np.array(out, dtype="<f4").tofile(os.path.join(sys.argv[1], name + ".f32"))
    print(name, np.array(out)[:, :4].round(3).tolist()[-2:])


def main():
    torch.set_num_threads(1)
    os.makedirs(sys.argv[1], exist_ok=True)
    run("bert_mean", "bert", 0, "mean")
    run("bert_cls", "bert", 0, "cls")
    run("xlmr_mean", "xlmr", 0, "mean")
    run("modernbert_mean", "modernbert", 0, "mean")
    run("modernbert_cls", "modernbert", 0, "cls")
    run("modernbert_last", "modernbert", 0, "last")
    run("bert_score", "bert", 1, "cls")
    run("xlmr_score", "xlmr", 1, "cls")
    run("xlmr_labels", "xlmr", 3, "cls")
    run("modernbert_score", "modernbert", 1, "cls")
    run("modernbert_labels", "modernbert", 3, "mean")
    run("modernbert_silu", "modernbert", 0, "mean", "silu")
    run("modernbert_tanh", "modernbert", 0, "mean", "gelu_pytorch_tanh")
    run("bert_silu", "bert", 0, "max", "silu")
    run("bert_tanh", "bert", 0, "weighted", "gelu_new")
    run("bert_relu", "bert", 0, "mean", "relu")
    run("distil_mean", "distil", 0, "mean")


main()

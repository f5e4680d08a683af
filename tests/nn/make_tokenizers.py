#!/usr/bin/env python3
"""Makes tests/data/tok: small tokenizers of every kind and their ids.

    python3 -m venv VENV
    VENV/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
    VENV/bin/python tests/nn/make_tokenizers.py tests/data/nn/lines.txt docs tests/data/tok

With more arguments, ids of other tokenizer.json files are made instead, to be
tested with RAG_TEST_TOKENIZERS=FOLDER:

    VENV/bin/python tests/nn/make_tokenizers.py tests/data/nn/lines.txt docs FOLDER FILE.json ...

Nothing of the project runs here. Trained are small vocabularies on the texts of
this repository; the ids come from Hugging Face tokenizers, and from
SentencePiece where there is one.

    NAME.json   tokenizer.json; sp_bpe_scores.json and unigram.json are pieces
                with scores of SentencePiece models in the form of a Unigram
    NAME.ids    u32 a text: FNV-1a over the ids as u32 little-endian. First the
                lines of lines.txt, then ten lines in a row, joined (join())
    NAME.cps    u32 for each 256 code points: the same over the ids of a text
                each (around())

Special tokens in a text are text (encode_special_tokens), as they are for us.
"""
import glob
import io
import json
import os
import random
import struct
import sys

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers,
                        pre_tokenizers, processors, trainers)

GLUE = ["\n", "\n\n", "\r\n", " \n", "\t", "  ", "\n   ", " \r\n\n ", "\u3000",
        " \u00a0"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def fnv1a(ids, h=0x811C9DC5):
    for byte in struct.pack("<%dI" % len(ids), *ids):
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def join(lines, k):
    """The k-th text of ten lines: nine borders, each with the next glue."""
    out = lines[10 * k]
    for i in range(1, 10):
        out += GLUE[(k + i) % len(GLUE)].encode() + lines[10 * k + i]
    return out


def around(c):
    return "a%s1 %s%sb\n%s's %s" % (c, c, c, c, c)


def texts_of(lines):
    return [t.decode("utf-8", "replace") for t in
            lines + [join(lines, k) for k in range(len(lines) // 10)]]


def write_ids(path, name, encode, texts, code_points=True):
    with open("%s/%s.ids" % (path, name), "wb") as f:
        for t in texts:
            f.write(struct.pack("<I", fnv1a(encode(t))))
    if not code_points:
        return
    with open("%s/%s.cps" % (path, name), "wb") as f:
        for page in range(0x1100):
            h = 0x811C9DC5
            for cp in range(page * 256, page * 256 + 256):
                if not 0xD800 <= cp <= 0xDFFF:
                    h = fnv1a(encode(around(chr(cp))), h)
            f.write(struct.pack("<I", h))


def hugging_face(tok):
    tok.encode_special_tokens = True
    return lambda text: tok.encode(text).ids


def save(path, name, tok):
    text = json.dumps(json.loads(tok.to_str()), ensure_ascii=False,
                      separators=(",", ":"))
    with open("%s/%s.json" % (path, name), "w", encoding="utf-8") as f:
        f.write(text)


def bert(corpus, lowercase, strip):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase,
                                                strip_accents=strip)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=3000, limit_alphabet=900, show_progress=False,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    cls, sep = tok.token_to_id("[CLS]"), tok.token_to_id("[SEP]")
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)])
    tok.add_tokens([AddedToken("tok/en", normalized=False),
                    AddedToken("tok", normalized=False)])
    return tok


def roberta(corpus):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=3000, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tok


def modern(corpus, pattern):
    """As ModernBERT's, or with the pattern of Llama 3 or Qwen 2."""
    tok = Tokenizer(models.BPE(ignore_merges=pattern is not None))
    tok.normalizer = normalizers.NFC()
    level = pre_tokenizers.ByteLevel(add_prefix_space=False,
                                     use_regex=pattern is None)
    tok.pre_tokenizer = level if pattern is None else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), level])
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=3000, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["[CLS]", "[SEP]"]))
    tok.add_tokens([AddedToken(" " * n, normalized=True)
                    for n in range(9, 1, -1)] +
                   [AddedToken("|||IP|||", normalized=True),
                    AddedToken("e\u0301e", normalized=True),
                    AddedToken("def ", normalized=False)])
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0",
        special_tokens=[("[CLS]", 0), ("[SEP]", 1)])
    return tok


def train_sp(corpus, kind):
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=out, vocab_size=3000,
        model_type=kind, byte_fallback=True, character_coverage=.99,
        hard_vocab_limit=False, minloglevel=2, num_threads=1,
        normalization_rule_name="nmt_nfkc" if kind == "unigram"
        else "identity", remove_extra_whitespaces=kind == "unigram",
        add_dummy_prefix=True, split_digits=kind == "bpe",
        allow_whitespace_only_pieces=kind == "bpe")
    model = proto.ModelProto()
    model.ParseFromString(out.getvalue())
    sp = spm.SentencePieceProcessor()
    sp.LoadFromSerializedProto(out.getvalue())
    return model, sp


def scores_json(model, charsmap):
    """The pieces of a SentencePiece model as a tokenizer.json."""
    import base64
    out = {"version": "1.0", "added_tokens": [
        {"id": i, "content": p.piece, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": True}
        for i, p in enumerate(model.pieces) if p.type in (2, 3)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581",
                          "prepend_scheme": "first", "split": False},
        "post_processor": None,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                  "vocab": [[p.piece, p.score] for p in model.pieces]}}
    if charsmap:
        out["normalizer"] = {
            "type": "Precompiled", "precompiled_charsmap": base64.b64encode(
                model.normalizer_spec.precompiled_charsmap).decode()}
    return json.dumps(out, ensure_ascii=False, separators=(",", ":"))


def llama(model):
    """A SentencePiece BPE as transformers converts it, merges and all."""
    vocab = {p.piece: i for i, p in enumerate(model.pieces)}
    merges = []
    for p in model.pieces:
        if p.type != 1:
            continue
        local = [(p.piece[:i], p.piece[i:]) for i in range(1, len(p.piece))
                 if p.piece[:i] in vocab and p.piece[i:] in vocab]
        local.sort(key=lambda m: (vocab[m[0]], vocab[m[1]]))
        merges += [(m, p.score) for m in local]
    merges.sort(key=lambda m: m[1], reverse=True)
    tok = Tokenizer(models.BPE(vocab, [m[0] for m in merges],
                               unk_token="<unk>", fuse_unk=True,
                               byte_fallback=True))
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    tok.post_processor = processors.TemplateProcessing(
        single="<s>:0 $A:0", pair="<s>:0 $A:0 <s>:1 $B:1",
        special_tokens=[("<s>", 1)])
    return tok


def gemma(model):
    tok = llama(model)
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.add_tokens([AddedToken("\n" * n, normalized=False)
                    for n in range(4, 0, -1)] +
                   [AddedToken("<unused7>", normalized=False),
                    AddedToken("\u2581\u2581", normalized=False)])
    return tok


def corpus_of(lines, docs):
    pick = random.Random(7)
    out = [t.decode("utf-8", "ignore") for t in lines[:7500]]
    for path in sorted(glob.glob(docs + "/*.md")):
        with open(path, encoding="utf-8") as f:
            out += f.read().split("\n")
    pick.shuffle(out)
    return [t.replace("\0", "") for t in out]


def main(lines_path, docs, path, others):
    with open(lines_path, "rb") as f:
        lines = f.read().split(b"\n")[:-1]
    texts = texts_of(lines)
    if others:
        for other in others:
            name = os.path.splitext(os.path.basename(other))[0]
            tok = Tokenizer.from_file(other)
            tok.no_padding()
            tok.no_truncation()
            save(path, name, tok)
            write_ids(path, name, hugging_face(tok), texts)
        return
    corpus = corpus_of(lines, docs)
    made = {"bert_uncased": bert(corpus, True, None),
            "bert_cased": bert(corpus, False, False),
            "bert_lower": bert(corpus, True, False),
            "roberta": roberta(corpus),
            "modernbert": modern(corpus, None),
            "llama3": modern(corpus, LLAMA3),
            "qwen2": modern(corpus, QWEN2)}
    model, sp = train_sp(corpus, "bpe")
    made["gemma"] = gemma(model)
    with open(path + "/sp_bpe_scores.json", "w", encoding="utf-8") as f:
        f.write(scores_json(model, False))
    write_ids(path, "sp_bpe_scores", sp.EncodeAsIds, texts, False)
    model, sp = train_sp(corpus, "unigram")
    with open(path + "/unigram.json", "w", encoding="utf-8") as f:
        f.write(scores_json(model, True))
    write_ids(path, "unigram", sp.EncodeAsIds, texts)
    for name, tok in made.items():
        save(path, name, tok)
        write_ids(path, name, hugging_face(tok), texts, name in
                  ("bert_uncased", "bert_cased", "bert_lower", "roberta",
                   "llama3"))
    print("%d tokenizers, %d texts" % (len(made) + 2, len(texts)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

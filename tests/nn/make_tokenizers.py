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

What is there already is kept: the texts it was trained on have changed since.
Remove NAME.json to train it anew.

    NAME.json   tokenizer.json; sp_bpe_scores.json and unigram.json are pieces
                with scores of SentencePiece models in the form of a Unigram
    NAME.model  the same as SentencePiece writes it
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
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|"
         r"\s+")


CASED = ("o200k", "steps")


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


def around(c, cased):
    """cased: among capitals, too."""
    text = "A%sB%s1 %sAb%s%sC\n/%s'S%s" if cased else "a%s1 %s%sb\n%s's %s"
    return text.replace("%s", c)


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
                    h = fnv1a(encode(around(chr(cp), name in CASED)), h)
            f.write(struct.pack("<I", h))


def hugging_face(tok):
    tok.encode_special_tokens = True
    return lambda text: tok.encode(text).ids


def sp_files(path, corpus, texts):
    """Models of SentencePiece itself; ids as transformers numbers them."""
    for name, kind, more, number in (
            ("xlmr", "unigram", {"byte_fallback": False, "vocab_size": 1500},
             lambda ids: [0] + [i + 1 if i else 3 for i in ids] + [2]),
            ("camembert", "unigram",
             {"byte_fallback": False, "vocab_size": 1100},
             lambda ids: [5] + [i + 4 if i else 3 for i in ids] + [6]),
            ("llama", "bpe", {"user_defined_symbols": ["<x>", "tok", "for"]},
             lambda ids: [1] + ids)):
        if is_there(path, name, "model"):
            continue
        model, sp = train_sp(corpus, kind, **more)
        if name == "camembert":  # not 240 KB of it twice
            model.normalizer_spec.precompiled_charsmap = b""
            sp.LoadFromSerializedProto(model.SerializeToString())
        with open("%s/%s.model" % (path, name), "wb") as f:
            f.write(model.SerializeToString())
        write_ids(path, name, lambda t: number(sp.EncodeAsIds(t)), texts,
                  name == "xlmr")


def is_there(path, name, kind="json"):
    return os.path.exists("%s/%s.%s" % (path, name, kind))


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


def bert_sequence(corpus):
    """The same of normalizers and pre-tokenizers one by one."""
    tok = bert(corpus, True, None)
    tok.normalizer = normalizers.Sequence([
        normalizers.Strip(), normalizers.NFD(), normalizers.Lowercase(),
        normalizers.StripAccents(), normalizers.Replace(Regex(r"\s+"), " ")])
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(),
        pre_tokenizers.Digits(individual_digits=True)])
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


def steps(corpus):
    """Pre-tokenizers in a row, each of what the one before left."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Punctuation(),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=3000, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tok


def train_sp(corpus, kind, **more):
    out = io.BytesIO()
    more = {"byte_fallback": True, "vocab_size": 3000, **more}
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=out,
        model_type=kind, character_coverage=.99, **more,
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
    make = {"bert_uncased": lambda: bert(corpus, True, None),
            "bert_cased": lambda: bert(corpus, False, False),
            "bert_lower": lambda: bert(corpus, True, False),
            "bert_sequence": lambda: bert_sequence(corpus),
            "roberta": lambda: roberta(corpus),
            "modernbert": lambda: modern(corpus, None),
            "llama3": lambda: modern(corpus, LLAMA3),
            "qwen2": lambda: modern(corpus, QWEN2),
            "o200k": lambda: modern(corpus, O200K),
            "steps": lambda: steps(corpus),
            "gemma": lambda: gemma(train_sp(corpus, "bpe")[0])}
    for name, one in make.items():
        if not is_there(path, name):
            tok = one()
            save(path, name, tok)
            write_ids(path, name, hugging_face(tok), texts, name in
                      ("bert_uncased", "bert_cased", "bert_lower",
                       "bert_sequence", "roberta",
                       "llama3", "o200k", "steps"))
    for name, kind in (("sp_bpe_scores", "bpe"), ("unigram", "unigram")):
        if not is_there(path, name):
            model, sp = train_sp(corpus, kind)
            with open("%s/%s.json" % (path, name), "w", encoding="utf-8") as f:
                f.write(scores_json(model, kind == "unigram"))
            write_ids(path, name, sp.EncodeAsIds, texts, kind == "unigram")
    sp_files(path, corpus, texts)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

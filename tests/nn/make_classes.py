#!/usr/bin/env python3
"""Makes lib/nn/classes_data.h: what Hugging Face tokenizers takes code points for.

    python3 -m venv VENV && VENV/bin/pip install tokenizers==0.23.3
    VENV/bin/python tests/nn/make_classes.py > lib/nn/classes_data.h
    clang-format -i lib/nn/classes_data.h

Every code point is given to the normalizers and pre-tokenizers themselves, so
that the Unicode version of each of them is what is written down.
"""
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def dropped(normalizer):
    return [c for c in CODE_POINTS
            if normalizer.normalize_str("a" + chr(c) + "b") == "ab"]


def bert(clean, strip):
    return normalizers.BertNormalizer(clean_text=clean, strip_accents=strip,
                                      handle_chinese_chars=False,
                                      lowercase=False)


def apart(step):
    return [c for c in CODE_POINTS
            if len(step.pre_tokenize_str("a" + chr(c) + "b")) == 3]


def matched(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return [c for c in CODE_POINTS if len(
        split.pre_tokenize_str("\x01" + chr(c) + "\x02")) == 2]


def table(name, what, members):
    ranges = []
    for c in members:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    print("/* %s */\nstatic const rag_class_range %s[] = {" % (what, name))
    for first, last in ranges:
        print("{0x%X, 0x%X}," % (first, last))
    print("};\n")


print("/* Made by tests/nn/make_classes.py: do not edit. */\n"
      "#ifndef RAG_NN_CLASSES_DATA_H\n#define RAG_NN_CLASSES_DATA_H\n")
table("bert_dropped", "BertNormalizer: clean_text leaves it out",
      dropped(bert(True, False)))
table("bert_marks", "BertNormalizer: strip_accents leaves it out",
      dropped(bert(False, True)))
table("bert_punctuation", "BertPreTokenizer: a word of its own", apart(pre_tokenizers.BertPreTokenizer()))
table("letters", "\\p{L}", matched(r"\p{L}"))
table("numbers", "\\p{N}", matched(r"\p{N}"))
table("upper", "\\p{Lu}, \\p{Lt}", matched(r"[\p{Lu}\p{Lt}]"))
table("lower", "\\p{Ll}", matched(r"\p{Ll}"))
table("marks", "\\p{M}", matched(r"\p{M}"))
table("accents", "StripAccents leaves it out",
      dropped(normalizers.StripAccents()))
table("digits", "Digits", apart(pre_tokenizers.Digits(True)))
assert apart(pre_tokenizers.Punctuation()) == apart(
    pre_tokenizers.BertPreTokenizer())
print("#endif /* RAG_NN_CLASSES_DATA_H */")

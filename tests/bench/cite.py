#!/usr/bin/env python3
"""The citation check, measured: python3 tests/bench/cite.py DATA build/dev/tests/bench_cite [--rows FILE]

DATA holds en-wice, ko-klue-nli, en-scifact, en-rgb-counterfactual, en-xquad and ko-korquad.
Every set is cut in two by a hash of its ids: the rule of lib/flow/cite.c was fitted on the
first half ("fit"); the second ("held") is what docs/benchmarks.md reports.

judged pairs   is the claim carried by its source? AUC of the score over supported against
               the rest, and accuracy, precision, recall, F1 of "supported"
planted        sentences of XQuAD and KorQuAD, one word left out so that none stands in its
               paragraph word for word, and then one fact changed: how often the first is
               "supported" and the second is not
false twins    the snippets of RGB whose fact was changed, against the true snippet
"""
import hashlib
import json
import os
import random
import re
import subprocess
import sys

WINDOW_CHARS = 1600  # about a chunk


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(l) for l in f]


def held(key):
    return hashlib.md5(key.encode()).digest()[0] % 2 == 1


def windows(sentences):
    """The page in pieces of a chunk's size, half of each in the next, too."""
    out, at = [], 0
    while at < len(sentences):
        n, end = 0, at
        while end < len(sentences) and (n == 0 or n + len(sentences[end]) < WINDOW_CHARS):
            n += len(sentences[end]) + 1
            end += 1
        out.append("\n".join(sentences[at:end]))
        if end >= len(sentences):
            break
        at = max(at + 1, (at + end) // 2)
    return out


def judged(data):
    """set, id, claim, sources (the best counts), label"""
    for x in lines(f"{data}/en-wice/claims-dev.jsonl"):
        yield "wice", x["_id"], x["claim"], windows(x["evidence_sentences"]), {
            "supported": 2, "partially_supported": 1}.get(x["label"], 0)
    for x in lines(f"{data}/ko-klue-nli/pairs.jsonl"):
        yield "klue-nli", x["premise"], x["hypothesis"], [x["premise"]], \
            2 if x["label"] == "entailment" else 0
    docs = {x["_id"]: x for x in lines(f"{data}/en-scifact/corpus.jsonl")}
    for x in lines(f"{data}/en-scifact/claims.jsonl"):
        d = docs.get(str(x["doc_id"] or x["cited_doc_ids"][0]))
        if d is not None:
            yield "scifact", x["claim_id"], x["claim"], [d["title"] + "\n" + d["text"]], \
                2 if x["label"] == "SUPPORT" else 0


SENTENCE = re.compile(r"[^.!?\n]+(?:\.\d[^.!?\n]*)*[.!?]")
UNITS = [("seconds", "minutes"), ("minutes", "hours"), ("hours", "days"), ("days", "weeks"),
         ("weeks", "months"), ("months", "years"), ("years", "months"), ("million", "billion"),
         ("billion", "million"), ("%", " million"), ("percent", "million"), ("km", "m"),
         ("kilometres", "metres"), ("miles", "feet"), ("feet", "miles"),
         ("초", "분"), ("분", "초"), ("시간", "일"), ("개월", "년"), ("년", "개월"), ("일", "년"),
         ("만", "억"), ("억", "만"), ("원", "달러"), ("달러", "원"), ("%", "만"), ("km", "m")]
MONTHS = "January February March April June July August September October November December".split()
KO_NOT = [("있다", "없다"), ("했다", "하지 않았다"), ("하였다", "하지 않았다"), ("된다", "되지 않는다"),
          ("되었다", "되지 않았다"), ("한다", "하지 않는다"), ("이다", "이 아니다"),
          ("이었다", "이 아니었다"), ("았다", "지 않았다")]


def number(s, source, rnd):
    at = [m for m in re.finditer(r"\d[\d,.]*\d|\d", s)]
    if not at:
        return None
    m = rnd.choice(at)
    digits = [i for i in range(m.start(), m.end()) if s[i].isdigit()]
    i = rnd.choice(digits)
    new = s[:i] + rnd.choice([d for d in "123456789" if d != s[i]]) + s[i + 1:]
    got = re.match(r"[\d,.]*\d", new[m.start():]).group()
    return None if re.search(r"(?<!\d)" + re.escape(got) + r"(?!\d)", source) else new


def date(s, source, rnd):
    at = [m for m in re.finditer(r"\b(1[0-9]|20)\d\d(?=\b|년)|\b(%s)\b" % "|".join(MONTHS), s)]
    if not at:
        return None
    m = rnd.choice(at)
    new = str(int(m.group()) + rnd.choice([-10, -3, -1, 1, 2, 7])) if m.group()[0].isdigit() \
        else rnd.choice(MONTHS)
    return None if new in source else s[:m.start()] + new + s[m.end():]


def unit(s, source, rnd):
    for a, b in rnd.sample(UNITS, len(UNITS)):
        m = re.search(r"(?<=\d)( ?)" + re.escape(a) + (r"\b" if a.isascii() and a != "%" else ""), s)
        if m and not re.search(r"\d ?" + re.escape(b), source):
            return s[:m.start()] + m.group(1) + b + s[m.end():]
    return None


def negation(s, source, rnd):
    if re.search(r"[가-힣]", s):
        body = s.rstrip(" .")
        for a, b in KO_NOT:
            if body.endswith(a):
                return body[:-len(a)] + b + "."
        return None
    m = re.search(r"\b(is|was|are|were|can|could|will|would|has been|had been)\b", s)
    return s[:m.end()] + " not" + s[m.end():] if m else None


def planted(data):
    """kind, id, claim, source; kind "true" are the unchanged ones"""
    for lang, folder in (("en", "en-xquad"), ("ko", "ko-korquad")):
        rnd = random.Random(lang)
        names = {}
        for x in lines(f"{data}/{folder}/qa.jsonl"):
            names.setdefault(x["evidence"][0]["doc"], []).append(x["answers"][0])
        every = sorted({a for l in names.values() for a in l if 2 < len(a) < 20 and not re.search(r"\d", a)
                        and (lang == "ko" or re.fullmatch(r"[A-Z]\w+( [A-Z]\w+)*", a))})
        docs = lines(f"{data}/{folder}/corpus.jsonl")
        for d in docs if lang == "en" else rnd.sample(docs, 400):
            source = d["text"]
            for s in [m.group().strip() for m in SENTENCE.finditer(source)][:6]:
                words = s.split(" ")
                if not 7 <= len(words) <= 45:
                    continue
                plain = [i for i in range(1, len(words) - 1)
                         if re.fullmatch(r"[a-z]{2,}" if lang == "en" else r"[가-힣]{2,}", words[i])
                         and words[i] not in ("not", "no", "never", "without", "cannot")
                         and not re.search(r"[않없못]|아니", words[i])
                         and not re.search(r"\d", words[i - 1])]
                if not plain:
                    continue
                gone = rnd.choice(plain)
                true = " ".join(words[:gone] + words[gone + 1:])
                key = d["_id"]
                yield lang, "true", key, true, source
                for kind, change in (("number", number), ("date", date), ("unit", unit),
                                     ("negation", negation)):
                    new = change(true, source, rnd)
                    if new is not None:
                        yield lang, kind, key, new, source
                have = [a for a in names.get(d["_id"], []) if a in true[1:] and a in every]
                if have:
                    other = rnd.choice(every)
                    if other not in source:
                        yield lang, "name", key, true.replace(rnd.choice(have), other), source


def twins(data):
    docs = {x["_id"]: x["text"] for x in lines(f"{data}/en-rgb-counterfactual/corpus.jsonl")}
    for key, text in docs.items():
        if "-positive_wrong-" in key:
            true = docs.get(key.replace("positive_wrong", "positive"))
            if true and true != text:
                yield key.split("-")[0], text, true


def check(binary, pairs):
    feed = "".join(json.dumps({"claim": c, "source": s}, ensure_ascii=False) + "\n" for c, s in pairs)
    got = subprocess.run([binary], input=feed.encode(), stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(l) for l in got.decode().splitlines()]


def auc(rows):
    """rows: (score, is positive)"""
    rows = sorted(rows)
    rank, total, n_pos, i = 0.0, 0.0, 0, 0
    while i < len(rows):
        j = i
        while j < len(rows) and rows[j][0] == rows[i][0]:
            j += 1
        for k in range(i, j):
            if rows[k][1]:
                total += (i + j + 1) / 2
                n_pos += 1
        i = j
    n_neg = len(rows) - n_pos
    return (total - n_pos * (n_pos + 1) / 2) / max(1, n_pos * n_neg)


def show(name, part, rows):
    tp = sum(1 for r in rows if r["label"] == 2 and r["support"] == "supported")
    fp = sum(1 for r in rows if r["label"] != 2 and r["support"] == "supported")
    fn = sum(1 for r in rows if r["label"] == 2 and r["support"] != "supported")
    tn = len(rows) - tp - fp - fn
    bad = sum(1 for r in rows if r["label"] == 2 and r["support"] == "unsupported")
    p, r = tp / max(1, tp + fp), tp / max(1, tp + fn)
    print(f"| {name} {part} | {len(rows)} | {tp + fn} | {auc([(x['score'], x['label'] == 2) for x in rows]):.3f} "
          f"| {(tp + tn) / len(rows):.3f} | {p:.3f} | {r:.3f} | {2 * p * r / max(1e-9, p + r):.3f} | {bad / max(1, tp + fn):.3f} |")


def main():
    data, binary = sys.argv[1], sys.argv[2]
    rows = []
    items = list(judged(data))
    flat = [(c, w) for _, _, c, ws, _ in items for w in ws]
    got = iter(check(binary, flat))
    for name, key, claim, ws, label in items:
        best = max((next(got) for _ in ws), key=lambda k: k["score"])
        rows.append({"set": name, "held": held(key), "label": label, **best, "claim": claim})
    print("| judged pairs | n | supported | AUC | accuracy | precision | recall | F1 | supported called unsupported |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("wice", "klue-nli", "scifact"):
        for part in (False, True):
            show(name, "held" if part else "fit",
                 [r for r in rows if r["set"] == name and r["held"] == part])
    items = list(planted(data))
    got = check(binary, [(c, s) for _, _, _, c, s in items])
    plant = [{"set": "planted", "lang": i[0], "kind": i[1], "held": held(i[2]), "claim": i[3], **g}
             for i, g in zip(items, got)]
    print("\n| planted | n fit | not supported | unsupported | n held | not supported | unsupported |")
    print("|---|---|---|---|---|---|---|")
    for lang in ("en", "ko"):
        for kind in ("true", "number", "date", "unit", "name", "negation"):
            cells = ""
            for part in (False, True):
                l = [r for r in plant if r["lang"] == lang and r["kind"] == kind and r["held"] == part]
                n = max(1, len(l))
                cells += f" {len(l)} | {sum(r['support'] != 'supported' for r in l) / n:.3f} " \
                         f"| {sum(r['support'] == 'unsupported' for r in l) / n:.3f} |"
            print(f"| {lang} {kind} |{cells}")
    items = list(twins(data))
    got = check(binary, [(c, s) for _, c, s in items])
    twin = [{"set": "twins", "held": held(i[0]), "claim": i[1], **g} for i, g in zip(items, got)]
    for part in (False, True):
        l = [r for r in twin if r["held"] == part]
        print(f"false twins {'held' if part else 'fit'}: {len(l)}, not supported "
              f"{sum(r['support'] != 'supported' for r in l) / len(l):.3f}")
    if len(sys.argv) > 4 and sys.argv[3] == "--rows":
        with open(sys.argv[4], "w", encoding="utf-8") as f:
            for r in rows + plant + twin:
                f.write(json.dumps(r, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

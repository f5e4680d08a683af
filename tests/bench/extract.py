#!/usr/bin/env python3
"""Answers without a chat model, measured:
python3 tests/bench/extract.py DATA build/release/rag [--model FILE] [--sample N] [--rows FILE]

The paragraphs of XQuAD and KorQuAD as record files, every question asked with --extract; the share
of questions whose answer's words stand in a sentence of the answer, how long answers are, and how
many end without one. With --model the built-in encoder is used (minutes: take a sample).
Questions are cut in two by a hash of their ids: what the weights of lib/flow/extract.c were chosen
on ("fit"), and "held".
"""
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(l) for l in f]


def held(key):
    return hashlib.md5(key.encode()).digest()[0] % 2 == 1


def plain(s):
    return "".join(s.casefold().split())


def option(name):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def ask(rag, store, questions, embed):
    env = dict(os.environ, RAG_STORE=store, RAG_EMBED_MODEL=embed, RAG_CHAT_MODEL="none")
    feed = "".join(" ".join(q["question"].split()) + "\n" for q in questions)
    got = subprocess.run([rag, "ask", "-q", "--extract", "-"], input=feed.encode(), env=env,
                         stdout=subprocess.PIPE, check=False).stdout.decode().splitlines()
    return [json.loads(l) for l in got]


def main():
    data, rag = sys.argv[1], os.path.abspath(sys.argv[2])
    model, sample, rows = option("--model"), option("--sample"), option("--rows")
    keep = option("--stores")
    out = open(rows, "w", encoding="utf-8") if rows else None
    with tempfile.TemporaryDirectory() as tmp:
        # the user's own settings and stores stay out of it
        home = keep or tmp
        os.makedirs(home, exist_ok=True)
        os.environ.update(HOME=home, XDG_DATA_HOME=home + "/d", XDG_STATE_HOME=home + "/s",
                          XDG_CONFIG_HOME=home + "/c", XDG_CACHE_HOME=home + "/k")
        embed = "none"
        if model:
            subprocess.run([rag, "model", "add", "-q", model], check=False, stderr=subprocess.DEVNULL)
            embed = "builtin:" + os.path.basename(model).split(".")[0]
        print("| questions | n | answer in it | no answer | sentences | characters | right paragraph first | in it when that is |")
        print("|---|---|---|---|---|---|---|---|")
        for folder in ("en-xquad", "ko-korquad"):
            store = f"{home}/{folder}" + ("-m" if model else "")
            subprocess.run([rag, "ingest", "-q", "--store", store, f"{data}/{folder}/corpus.jsonl"],
                           env=dict(os.environ, RAG_EMBED_MODEL=embed), check=True)
            every = lines(f"{data}/{folder}/qa.jsonl")
            if sample:
                every = random.Random(1).sample(every, min(len(every), int(sample)))
            got = ask(rag, store, every, embed)
            for part in (False, True):
                n = hits = none = sents = chars = first = first_hits = 0
                for q, a in zip(every, got):
                    if held(q["_id"]) != part:
                        continue
                    n += 1
                    ok = any(plain(x) in plain(a["answer"]) for x in q["answers"])
                    right = bool(a["retrieved"]) and \
                        a["retrieved"][0]["document"].endswith("#" + q["evidence"][0]["doc"])
                    hits += ok
                    none += a["status"] != "answered"
                    sents += len(a["sentences"])
                    chars += len(a["answer"])
                    first += right
                    first_hits += right and ok
                    if out:
                        out.write(json.dumps({"q": q["question"], "gold": q["answers"], "ok": ok, "right": right,
                                              "held": part, "set": folder, "answer": a["answer"]},
                                             ensure_ascii=False) + "\n")
                said = max(1, n - none)
                print(f"| {folder} {'held' if part else 'fit'} | {n} | {hits / n:.3f} | {none} | {sents / said:.2f} "
                      f"| {chars / said:.0f} | {first / n:.3f} | {first_hits / max(1, first):.3f} |")


if __name__ == "__main__":
    main()

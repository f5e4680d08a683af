#!/usr/bin/env python3
"""How many questions end without an answer?

    python3 tests/bench/abstain.py [--words] [--keep DIR] RAG COLLECTION QUESTIONS...

COLLECTION is a folder of documents, or one with corpus.jsonl; every QUESTIONS a
file of questions, JSON lines with `text` or `question`, or a folder with
queries.jsonl and qrels.tsv. RAG is asked each of them with `rag ask --extract`,
by its default model or (--words) by words alone. Of a folder's own questions
those count whose passage is among the first five found: whether an answer was
refused is asked of them, not whether it was found. --keep keeps the stores.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def questions_of(path):
    """[(text, ids of its passages, or None)]"""
    relevant = None
    if os.path.isdir(path):
        relevant = {}
        for line in open(path + "/qrels.tsv", encoding="utf-8"):
            q, d, score = line.rstrip("\n").split("\t")
            if score not in ("score", "0"):
                relevant.setdefault(q, set()).add(d)
        path += "/queries.jsonl"
    out = []
    for q in lines(path):
        text = " ".join((q.get("text") or q["question"]).split())
        if relevant is None:
            out.append((text, None))
        elif str(q["_id"]) in relevant:
            out.append((text, relevant[str(q["_id"])]))
    return out


def ask(rag, store, texts):
    done = subprocess.run([rag, "ask", "-q", "--extract", "--store", store, "-"],
                          input="".join(t + "\n" for t in texts).encode(),
                          stdout=subprocess.PIPE, check=False)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def is_found(answer, passages):
    first = [r["document"] for r in answer["retrieved"][:5]]
    return any(d.endswith("#" + p) for d in first for p in passages)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--words", action="store_true")
    p.add_argument("--keep")
    p.add_argument("rag")
    p.add_argument("collection")
    p.add_argument("questions", nargs="+")
    o = p.parse_args()
    rag = os.path.abspath(o.rag)
    os.environ["RAG_CHAT_MODEL"] = "none"
    if o.words:
        os.environ["RAG_EMBED_MODEL"] = "none"
    with tempfile.TemporaryDirectory() as tmp:
        name = os.path.basename(os.path.abspath(o.collection))
        store = os.path.join(o.keep or tmp,
                             name + ("-words" if o.words else "-model"))
        corpus = os.path.join(o.collection, "corpus.jsonl")
        subprocess.run([rag, "ingest", "-q", "--store", store,
                        corpus if os.path.exists(corpus) else o.collection],
                       check=True)
        for path in o.questions:
            asked = questions_of(path)
            got = ask(rag, store, [text for text, _ in asked])
            if len(got) != len(asked):
                sys.exit("%s: %d answers to %d questions" %
                         (path, len(got), len(asked)))
            kept = [a for a, (_, passages) in zip(got, asked)
                    if passages is None or is_found(a, passages)]
            refused = sum(a["status"] == "abstained" for a in kept)
            print("%s, %s: %s: %d of %d refused (%.3f), %d asked" % (
                name, "words" if o.words else "default model",
                "/".join(os.path.abspath(path).split("/")[-2:]), refused, len(kept),
                refused / max(1, len(kept)), len(asked)), flush=True)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The table "Retrieval quality" of docs/benchmarks.md, a row a set.

    python3 tests/bench/hybrid.py [--interval] build/release/rag SET...

Every SET (tests/bench/sets.py makes them) by `rag eval` in the three modes:
nDCG@10, and hybrid less the better of its parts. --interval adds the 95 %
interval of that difference, bootstrap over the questions: every question is
evaluated by itself for that (a second a dozen).
"""
import json
import os
import random
import subprocess
import sys
import tempfile

MODES = ("lexical", "dense", "hybrid")
DRAWS = 10000


def evaluate(rag, path, mode):
    done = subprocess.run([rag, "eval", "--beir", path, "--mode", mode,
                           "--json"], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    result = json.loads(done.stdout)
    return result["metrics"]["ndcg@10"], result["queries"]


def lines(path):
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines(True)


def single(rag, path, modes):
    """nDCG@10 of every question in each mode."""
    head, judged = None, {}
    for line in lines(path + "/qrels.tsv"):
        if head is None:
            head = line
        elif line.rstrip("\n").split("\t")[2] != "0":
            judged.setdefault(line.split("\t")[0], []).append(line)
    out = {m: [] for m in modes}
    with tempfile.TemporaryDirectory() as tmp:
        os.symlink(os.path.abspath(path + "/corpus.jsonl"),
                   tmp + "/corpus.jsonl")
        for line in lines(path + "/queries.jsonl"):
            q = str(json.loads(line)["_id"])
            if q not in judged:
                continue
            with open(tmp + "/queries.jsonl", "w", encoding="utf-8") as f:
                f.write(line)
            with open(tmp + "/qrels.tsv", "w", encoding="utf-8") as f:
                f.writelines([head] + judged[q])
            for m in modes:
                out[m].append(evaluate(rag, tmp, m)[0])
    return out


def interval(values):
    pick = random.Random(1)
    means = sorted(sum(pick.choices(values, k=len(values))) / len(values)
                   for _ in range(DRAWS))
    return means[int(.025 * DRAWS)], means[int(.975 * DRAWS)]


def main():
    words = sys.argv[1:]
    wants_interval = "--interval" in words
    words = [w for w in words if w != "--interval"]
    rag = os.path.abspath(words[0])
    for path in words[1:]:
        path = path.rstrip("/")
        if os.path.getsize(path + "/corpus.jsonl") == 0:
            continue  # only questions, for abstain.py
        by = {m: evaluate(rag, path, m) for m in MODES}
        better = max(MODES[:2], key=lambda m: by[m][0])
        line = "| %s | %d | %s | %+.3f |" % (
            os.path.basename(path), by["hybrid"][1],
            " | ".join("%.3f" % by[m][0] for m in MODES),
            by["hybrid"][0] - by[better][0])
        if wants_interval:
            one = single(rag, path, (better, "hybrid"))
            line += " %+.3f … %+.3f |" % interval(
                [h - b for h, b in zip(one["hybrid"], one[better])])
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The sets of docs/benchmarks.md as folders for `rag eval --beir`.

    python3 tests/bench/sets.py ../shared/data OUT [RAG]

Those of DATA that are such folders are linked. The others are made of its files,
the same every time (the seeds are fixed):

    scifact      2,500 abstracts, every judged one among them, 300 claims
    korquad-h    documents of holdout.json left out, 400 of the other questions;
                 xquad-h all; in *-un the questions that are left without one
    fa-A-B       FastAPI: heading path in A, section in B without its heading
    fat-A-B      the same with the heading path of B as the title; the question
                 is the last heading, or the path where that is short
    py-A-B       Python's manual: first sentence in A, paragraph in B
    sec10q       what `rag show --raw` prints of the PDFs; only with RAG
"""
import glob
import json
import os
import random
import re
import subprocess
import sys
import tempfile

OWN = ("en-xquad", "ko-korquad", "en-scifact", "en-npl",
       "en-rgb-counterfactual")


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def rows(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f][1:]


class Maker:
    def __init__(self, data, out):
        self.data, self.dir = data, out

    def put(self, name, corpus, queries, judged):
        """corpus [(id, title, text)], queries [(id, text)], judged [(q, d)]"""
        path = os.path.join(self.dir, name)
        os.makedirs(path, exist_ok=True)

        def write(file, items):
            with open(os.path.join(path, file), "w", encoding="utf-8") as f:
                f.writelines(items)

        def record(**fields):
            return json.dumps(fields, ensure_ascii=False) + "\n"

        write("corpus.jsonl", (record(_id=i, title=t, text=x)
                               for i, t, x in corpus))
        write("queries.jsonl", (record(_id=i, text=x) for i, x in queries))
        write("qrels.tsv", ["query-id\tcorpus-id\tscore\n"] +
              ["%s\t%s\t1\n" % j for j in judged])
        print("%s: %d documents, %d questions" % (name, len(corpus),
                                                  len(queries)))

    def of(self, name):
        d = os.path.join(self.data, name)
        corpus = [(str(x["_id"]), x.get("title", ""), x["text"])
                  for x in lines(d + "/corpus.jsonl")]
        queries = [(str(x["_id"]), x["text"])
                   for x in lines(d + "/queries.jsonl")]
        return corpus, queries, [(q, c) for q, c, _ in rows(d + "/qrels.tsv")]

    def scifact(self):
        corpus, queries, judged = self.of("en-scifact")
        pick = random.Random(1)
        keep = {d for _, d in judged}
        rest = [x for x in corpus if x[0] not in keep]
        pick.shuffle(rest)
        keep |= {x[0] for x in rest[:2500 - len(keep)]}
        asked = {q for q, _ in judged}
        queries = pick.sample([x for x in queries if x[0] in asked], 300)
        asked = {i for i, _ in queries}
        self.put("scifact", [x for x in corpus if x[0] in keep], queries,
                 [j for j in judged if j[0] in asked])

    def without(self, source, name, n, pick):
        """Some documents are left out, and with them their questions."""
        held = json.load(open(os.path.join(self.data, source, "holdout.json"),
                              encoding="utf-8"))
        gone = set(held["holdout_docs"])
        unclear = set(held["ambiguous_queries"])
        corpus, queries, judged = self.of(source)
        text = dict(queries)
        asked = [q for q, d in judged if d not in gone and q not in unclear]
        lost = held["unanswerable_queries"]
        if n:
            asked, lost = pick.sample(asked, n), lost[:n]
        self.put(name, [x for x in corpus if x[0] not in gone],
                 [(i, text[i]) for i in asked],
                 [j for j in judged if j[0] in set(asked)])
        self.put(name + "-un", [], [(i, text[i]) for i in lost], [])

    def fastapi(self):
        sections = [x for x in lines(os.path.join(
            self.data, "manual-fastapi/parallel-sections.jsonl"))
            if not x["_id"].startswith("_llm")]
        for a in ("ko", "en"):
            for b in ("ko", "en"):
                some = random.Random(2).sample(sections, 500)
                self.put("fa-%s-%s" % (a, b),
                         [(x["_id"], "", x[b + "_text"]) for x in sections],
                         [(x["_id"], x[a + "_heading"]) for x in some],
                         sorted((x["_id"], x["_id"]) for x in some))
        pick = random.Random(3)
        for a, b in (("ko", "en"), ("en", "ko")):
            queries = []
            for x in pick.sample(sections, 500):
                last = x[a + "_heading"].split(" > ")[-1]
                queries.append((x["_id"], last if len(last) > 12
                                else x[a + "_heading"]))
            self.put("fat-%s-%s" % (a, b),
                     [(x["_id"], x[b + "_heading"], x[b + "_text"])
                      for x in sections],
                     queries, [(i, i) for i, _ in queries])
        self.without("en-xquad", "xquad-h", 0, pick)
        self.without("ko-korquad", "korquad-h", 400, pick)

    def python(self):
        some = [x for x in lines(os.path.join(
            self.data, "manual-python/parallel-paragraphs.jsonl"))
            if 80 < len(x["en"]) < 2000][:1500]
        for a, b in (("ko", "en"), ("en", "ko")):
            self.put("py-%s-%s" % (a, b),
                     [(x["_id"], "", x[b]) for x in some],
                     [(x["_id"], re.split(r"(?<=[.?!])\s+", x[a])[0])
                      for x in some[:400]],
                     [(x["_id"], x["_id"]) for x in some[:400]])

    def sec10q(self, rag):
        d = os.path.join(self.data, "en-sec10q")
        corpus = []
        with tempfile.TemporaryDirectory() as store:
            def run(*words):
                return subprocess.run([rag, "--store", store] + list(words),
                                      check=True, stdout=subprocess.PIPE).stdout

            run("-q", "ingest", "--no-embed", d + "/pdf")
            for path in sorted(glob.glob(d + "/pdf/*.pdf")):
                name = os.path.basename(path)
                corpus.append((name.replace(" ", "_"), name[:-4],
                               run("show", "--raw", path).decode()))
        self.put("sec10q", corpus,
                 [(str(x["_id"]), x["text"])
                  for x in lines(d + "/queries.jsonl")],
                 [(q, c.replace(" ", "_"))
                  for q, c, _ in rows(d + "/qrels.tsv")])


def main(data, out, rag=None):
    data = os.path.abspath(data)
    os.makedirs(out, exist_ok=True)
    for name in OWN:
        if not os.path.lexists(os.path.join(out, name)):
            os.symlink(os.path.join(data, name), os.path.join(out, name))
    maker = Maker(data, out)
    maker.scifact()
    maker.fastapi()
    maker.python()
    if rag:
        maker.sec10q(os.path.abspath(rag))


if __name__ == "__main__":
    main(*sys.argv[1:])

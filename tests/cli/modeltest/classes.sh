# a cross-encoder of three classes: no reranker, but tested as what it is
cp -r "$CASES/../data/import/hf-e5-base" m
rm -r m/modules.json m/1_Pooling
python3 - <<'E'
import json, struct
dims = {"classifier.dense.weight": [32, 32], "classifier.dense.bias": [32],
        "classifier.out_proj.weight": [3, 32], "classifier.out_proj.bias": [3]}
head, data = {}, b""
for name, shape in dims.items():
    n = shape[0] * (shape[1] if len(shape) == 2 else 1)
    at = len(data)
    data += struct.pack("<%df" % n, *((i * 37 % 101 - 50) / 100 for i in range(n)))
    head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, len(data)]}
head = json.dumps(head).encode()
with open("m/head.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(head)) + head + data)
index = json.load(open("m/model.safetensors.index.json"))
index["weight_map"].update({name: "head.safetensors" for name in dims})
json.dump(index, open("m/model.safetensors.index.json", "w"))
config = json.load(open("m/config.json"))
config["architectures"] = ["XLMRobertaForSequenceClassification"]
config["id2label"] = {"0": "entailment", "1": "neutral", "2": "모순"}
json.dump(config, open("m/config.json", "w"))
E
rag model add m --name nli | grep -E '^(kind|labels)'
rag model show nli --json | grep -oE '"labels":.*"dims"'
# names that are not as many as the labels are none
sed -i 's/"2": /"x": /' m/config.json
rag model add m --name other | grep -E '^(kind|labels)'
rag -q model rm other
rag model ls
# random weights: what they say is noise, that they speak is not
rag model test nli | grep -v English
RAG_RERANK_MODEL=builtin:nli rag model test | grep reranker
f=$HOME/.local/share/rag/models/nli.model
printf '\377\000\377\000' | dd of="$f" bs=1 seek=9000 conv=notrunc 2>/dev/null
rag model test nli | sed 's/: .*//'
# finite numbers, but no score
python3 - <<'E'
import struct
with open("m/head.safetensors", "r+b") as f:
    n = struct.unpack("<Q", f.read(8))[0]
    f.seek(8 + n)
    size = len(f.read())
    f.seek(8 + n)
    f.write(struct.pack("<f", 3e38) * (size // 4))
E
rag model add m --name absurd; echo $?
rag model show absurd; echo $?

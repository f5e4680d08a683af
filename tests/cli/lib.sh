# shellcheck shell=sh
# What the cases share. Sourced before each of them.

# A few documents in docs/.
docs() {
    mkdir -p docs/sub
    cat >docs/guide.md <<'X'
# Guide

The guide explains the device.

## Reset

To reset the device, hold the power button for ten seconds. The light blinks twice.

## 재부팅

장치를 다시 시작하려면 전원 버튼을 5초 동안 누르세요.
X
    cat >docs/sub/errors.log <<'X'
2024-05-01 error 502: the gateway timed out
2024-05-02 error 404: no such page
X
    cat >docs/people.csv <<'X'
name,city
Ada,London
Kim,Seoul
X
    cat >docs/corpus.jsonl <<'X'
{"_id":"r1","title":"Kettle","text":"The kettle boils water in two minutes."}
{"_id":"r2","title":"Lamp","text":"The lamp has three levels of brightness."}
X
}

# The same, in a store of this folder, without a word.
store() {
    docs
    rag ingest -q -j1 --init docs
}

# Starts fakellm for this case; $FAKE is its address, behaviours behind it as
# tests/fake/fakellm.h says: $FAKE/x/LIST/v1
fake() {
    [ -x "$FAKELLM" ] || skip "fakellm is not built beside rag"
    : >../fake.out
    "$FAKELLM" --life 60 >../fake.out 2>&1 &
    # shellcheck disable=SC2064 # the process of now
    trap "kill $!" EXIT
    until grep -q '^port' ../fake.out; do sleep 0.05; done
    sed 's/port //' ../fake.out >../port
    # shellcheck disable=SC2034 # the cases use it
    FAKE=http://127.0.0.1:$(cat ../port)
}

# GET of a fakellm address, by the program's own means: none is needed.
ask_fake() {
    python3 -c 'import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())' "$1"
}

skip() {
    echo "$*" >&2
    exit 77
}

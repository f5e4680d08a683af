"""Reads what local_llm.sh has collected. Exit 1 with a line for what is wrong."""

import json
import os
import subprocess
import sys

rag = sys.argv[1]
bad = 0


def check(ok, *what):
    global bad
    if not ok:
        print("wrong:", *what, file=sys.stderr)
        bad = 1


def load(name):
    with open(name, encoding="utf-8") as f:
        return json.load(f)


ingest = load("ingest.json")
check(ingest["added"] == 3, "added", ingest)
check(ingest["embedded"] == ingest["chunks"] > 0, "embedded", ingest)

search = load("search.json")
check(search["mode"] == "hybrid", "mode", search["mode"])
check(search["hits"][0]["document"] == "pages/lamp.md", "best hit", search["hits"][0])
check(isinstance(search["hits"][0]["dense"], float), "cosine", search["hits"][0])


def show(document, span):
    raw = subprocess.run([rag, "show", "--raw", document], stdout=subprocess.PIPE, check=True).stdout
    return raw[span[0] : span[1]].decode()


def check_answer(answer, code, name):
    check(answer["schema"] == "rag.answer/1", name, "schema")
    check(answer["status"] == ("abstained" if code == 1 else "answered"), name, answer["status"], code)
    check(answer["complete"] is (code != 3), name, "complete", answer["complete"], code)
    if code == 0:
        check(answer["citations"], name, "no citation", answer["answer"])
        check(answer["answer"] != "", name, "empty")
    numbers = {c["n"] for c in answer["citations"]}
    for s in answer["sentences"]:
        check(set(s["citations"]) <= numbers, name, "a number without a citation", s)
    for c in answer["citations"]:
        check("[%d]" % c["n"] in answer["answer"], name, "a citation that is not used", c["n"])
        check(c["document"].startswith("pages/"), name, "document", c["document"])
        check(show(c["document"], c["bytes"]) != "", name, "an empty span")
        if c["check"] == "exact":
            text = subprocess.run([rag, "show", "--raw", c["document"]], stdout=subprocess.PIPE, check=True).stdout
            check(c["quote"] in text.decode(), name, "the quote is not in the document", c["quote"])


check_answer(load("both.json"), int(os.environ["BOTH"]), "ask with vectors")
answer = load("answer.json")
check_answer(answer, int(os.environ["CODE"]), "ask --json")
check(answer["model"]["chat"] == "openai:smollm2", "model", answer["model"])
check(answer["usage"]["completion_tokens"] > 0, "usage", answer["usage"])
check_answer(load("extract.json"), 0, "ask --extract")

with open("events.jsonl", encoding="utf-8") as f:
    events = [json.loads(line) for line in f]
kinds = [e["event"] for e in events]
check(kinds[0] == "retrieval" and kinds[-1] == "done", "events", kinds)
deltas = [e["text"] for e in events if e["event"] == "delta"]
check(events[-1]["status"] == ("abstained" if os.environ["EVENTS"] == "1" else "answered"), "done", events[-1])
if os.environ["EVENTS"] == "0":
    check(len(deltas) > 1, "not streamed", len(deltas))
    check("citation" in kinds, "no citation event", kinds)
    check("[1]" in "".join(deltas), "no number in the stream", deltas)
with open("plain.txt", encoding="utf-8") as f:
    plain = f.read()
check("Sources:" in plain or int(os.environ["PLAIN"]) == 1, "no sources", plain)

gone = load("gone.json")
check(gone.get("schema") == "rag.error/1" or gone.get("complete") is False, "a dead server", gone)
sys.exit(bad)

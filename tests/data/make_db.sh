#!/bin/sh
# Makes tests/data/db_vN.sqlite, a small store of the present schema version N:
# sh tests/data/make_db.sh BUILD_FOLDER. Run once when a schema is released and
# commit the file; never make one of an older version again: that it was written
# by that version is its worth. tests/unit/t_store_old.c opens all of them and
# knows the documents below.
set -eu
build=$(cd "$1" && pwd) # with tests: a preset like dev
here=$(cd "$(dirname "$0")" && pwd)
# the store remembers where its documents lay, so that must not be a home folder
top=/tmp/rag_db_sample
mkdir "$top" # must not be there yet
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$top"' EXIT

mkdir "$top/docs"
cd "$top"
cat >docs/guide.md <<'END'
---
title: Lantern guide
---
# Setting up

Screw the lantern to the wall before you connect the battery.

## Battery

| part | voltage |
|---|---|
| cell | 3.7 V |

```sh
lantern --charge 80
```
END
cat >docs/안내.md <<'END'
# 설치 안내

등불을 벽에 고정한 다음 배터리를 연결하십시오.
END
cat >docs/page.html <<'END'
<html><head><title>Orchid care</title></head><body><main><h1>Watering</h1>
<p>Water the orchid once a week.</p></main></body></html>
END
printf 'name,weight\nquarry,12\nribbon,7\n' >docs/table.csv
printf '%s\n' '{"_id":"r1","title":"Harbor","text":"Ships wait in the harbor."}' \
    '{"_id":"r2","title":"Island","text":"The island has no bridge."}' >docs/set.jsonl
printf '%%PDF-1.4 broken\n' >docs/broken.pdf
printf '09:00 pump started\n09:05 pump stopped\n' >docs/pump.log

"$build/tests/fakellm" --life 60 >port &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s port ] || sleep 0.2; done
port=$(sed -n 's/^port //p' port)
export HOME="$top/home" XDG_STATE_HOME="$top/state" XDG_CONFIG_HOME="$top/config" \
    XDG_CACHE_HOME="$top/cache" XDG_DATA_HOME="$top/data" RAG_STORE="$top/store" \
    RAG_EMBED_MODEL=openai:fake RAG_CHAT_MODEL=none \
    RAG_EMBED_URL="http://127.0.0.1:$port/x/dims=16,words/v1"
"$build/rag" ingest docs || [ $? -eq 3 ]
# a second version of one of them
printf '09:10 pump started again\n' >>docs/pump.log
"$build/rag" ingest docs || [ $? -eq 3 ]
python3 - "$here" <<'END'
import os, sqlite3, sys
db = sqlite3.connect("store/store.db")
out = "%s/db_v%d.sqlite" % (sys.argv[1], db.execute("PRAGMA user_version").fetchone()[0])
if os.path.exists(out):
    os.unlink(out)
db.execute("VACUUM INTO ?", (out,))
print(out, os.path.getsize(out), "bytes")
END

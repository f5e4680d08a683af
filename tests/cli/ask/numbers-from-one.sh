# the first passage has no sentence that answers: the second one is [1]
mkdir docs
cat >docs/a.md <<'X'
# How the kettle of the device is heated

| kettle | device |
|---|---|
| heated | kettle |
X
cat >docs/b.md <<'X'
# Other

Whoever wants tea begins with water from the tap, which must be cold and fresh.
The kettle of the device is heated by pressing the red button twice.
X
rag ingest -q -j1 --init docs
rag search "how is the kettle of the device heated?" | grep '^[0-9]'
rag ask "how is the kettle of the device heated?"

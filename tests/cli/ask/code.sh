mkdir docs
cat >docs/server.md <<'X'
# Server

## Starting

The server listens on [port 8080](ports.md) once it has been **started**.

To start the server, type this command:

```sh
serverctl start --port 8080

serverctl status   # running?
```

## Modes

The server knows two modes of logging:

* `quiet` logs errors
* `chatty` logs every request

Colours of the logo are described by the designers:

{* ../logo.svg *}
X
rag ingest -q -j1 --init docs
rag ask "how do I start the server?"
rag ask "which modes of logging does the server know?" --json | grep -o '"sentences":.*"citations":\[{'
rag ask "who describes colours of the logo?"
# as HTML leaves code; and what stands in two places is said once
cat >docs/conflict.html <<'X'
<title>Conflicts</title><h1>Conflicts</h1>
<p>After a conflict the merge is resumed with</p><pre>$ tool merge --resume
$ tool status</pre>
<p>A conflict that is left alone is told at the end.</p>
<p>Remember: a conflict that is left alone is told at the end!</p>
X
rag ingest -q -j1 docs
rag ask "how is the merge resumed after a conflict?"
rag ask "what is told at the end of a conflict left alone?"

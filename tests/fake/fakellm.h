#ifndef RAG_TESTS_FAKELLM_H
#define RAG_TESTS_FAKELLM_H

/*
 * fakellm — a scripted stand-in for OpenAI-compatible servers and Ollama.
 *
 * usage: fakellm [--behave LIST] [--stdin] [--life SECS] [--port N]
 *
 * Prints "port N" and serves 127.0.0.1 until killed, until its stdin ends
 * (--stdin) or for SECS seconds (600). How it behaves is said by the URL, so
 * that one server serves many tests: http://127.0.0.1:N/x/LIST/v1, else by
 * --behave. LIST is name[=value] joined with commas, values percent-encoded.
 * Counters are kept apart for every LIST.
 *
 *   GET  [/x/LIST]/stats   {"requests","embed","chat","texts","most_at_once"}
 *   GET  [/x/LIST]/last    the last request as it came (head and body)
 *   POST [/x/LIST]/reset   counters to zero
 *
 * any request
 *   key=K            401 without "Authorization: Bearer K"
 *   status=S         always S; message=TEXT is what it says, raw=TEXT the body
 *   fail=S.N[.R]     the first N requests get S, with Retry-After R (seconds,
 *                    or dN: a date N seconds from now)
 *   fail_message=T   what those say
 *   head_ms=N        pause before the reply
 *   body_ms=N        pause in the middle of the body (or after each event)
 *   net=N            bytes a write
 *   cut=N            the connection ends after N bytes of the body
 *   hang             no reply at all (until the client leaves)
 *   drop=N           the first N requests: connection closed without a reply
 *   replay=FILE      a recorded reply (path percent-encoded)
 *   huge=MB badutf8 deep redirect html empty badjson nul    broken replies
 * embeddings
 *   dims=N (384) words hash   how vectors are made (default: hash)
 *   count=N (added to how many come) nan zero null str dims2=N (from the 2nd
 *   request on) reverse noindex dupindex badindex base64 shortdim
 *   max=N refuse=S message=T   more than N texts are refused with S (400)
 *   marker=WORD refuse=S       a batch with WORD in a text is refused
 *   maxlen=N refuse=S          a batch with a longer text is refused
 *   window=N         only the first N bytes of a text count
 *   alike            every text gets the same vector
 *   shift            a batch's vectors stand one place too far
 *   beside           vectors depend on how many stand beside them
 *   drift            vectors depend on the number of the request
 * reranking (at /v1/rerank and /rerank; count, nan, null, str, noindex,
 * dupindex, badindex, max, refuse and message as above)
 *   tei rootonly     {query, texts} at /rerank alone; /rerank alone
 *   logits same      raw scores; every score alike
 *   short=N          only the best N results
 *   unsorted documents   in the order of the texts; the texts come back, too
 *   byplace          scores by place in the request
 *   maxlen=N refuse=S    as above (500)
 *   model=M          404 for another model
 * chat
 *   text=T           the answer (else a fixed sentence); echo: the question
 *   split=N          bytes a piece, at character borders (8); rawsplit=N: not
 *   finish=R nousage nodone noend crlf comment reason plain nonl fine
 *   error_after=N    an error object behind N pieces
 *   overflow[=openai|vllm] n=N ctx=N   prompt over the context
 *   quirk=NAME       400 while the request has the field NAME
 *   prompt_tokens=N  what the usage says
 */

#include <stdatomic.h>

#include "base/buf.h"
#include "base/json.h"

typedef struct fake_state { /* one for every LIST */
    char *list;
    unsigned n_requests, n_embed, n_chat, n_now, most_at_once;
    unsigned long n_texts;
    char *last;
    size_t last_len;
    struct fake_state *next;
} fake_state;

typedef struct fake_request {
    int fd;
    const char *list; /* behaviours */
    fake_state *state;
    unsigned nth; /* of its list, from 1 */
    const char *path;
    rag_str head;
    rag_json *json; /* of the body, or NULL */
    bool ollama;
} fake_request;

/* The value of a behaviour into out (percent-decoded); false: not there. */
bool fake_opt(char *out, size_t cap, const fake_request *r, const char *name);
bool fake_has(const fake_request *r, const char *name);
long fake_num(const fake_request *r, const char *name, long def);

void fake_sleep(long ms);
bool fake_write(int fd, const char *bytes, size_t n);
void fake_json_str(rag_buf *b, const char *s, size_t n); /* bytes kept raw */

/* Sends a reply; false: the connection is to be closed. */
bool fake_reply(const fake_request *r, long status, const char *type,
                const rag_buf *body);
bool fake_head(const fake_request *r, long status, const char *type,
               size_t n_bytes, const char *more);
/* The behaviours "broken replies", "raw" and "replay". */
bool fake_broken(const fake_request *r, bool *answered);
bool fake_error(const fake_request *r, long status, const char *message);
bool fake_embed(fake_request *r);
bool fake_rerank(fake_request *r);
bool fake_chat(fake_request *r);
void fake_count_texts(fake_request *r, size_t n);

#endif /* RAG_TESTS_FAKELLM_H */

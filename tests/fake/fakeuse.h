#ifndef RAG_TESTS_FAKEUSE_H
#define RAG_TESTS_FAKEUSE_H

/* Starting and asking fakellm from a unit test; FAKELLM is its path. The
 * server leaves when the test's end of its stdin closes, also after a crash. */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "net/http.h"

extern char **environ;

typedef struct fake {
    pid_t pid;
    int in;
    unsigned port;
    char root[64];  /* http://127.0.0.1:PORT */
    char url[4096]; /* of the last fake_url() */
} fake;

static inline int fake_start(fake *f)
{
    char path[] = FAKELLM;
    char flag[] = "--stdin";
    char *argv[] = {path, flag, NULL};
    posix_spawn_file_actions_t acts;
    int to[2];
    int from[2];
    FILE *out;
    int ok;

    memset(f, 0, sizeof *f);
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, to[0], 0);
    posix_spawn_file_actions_adddup2(&acts, from[1], 1);
    ok = posix_spawn(&f->pid, path, &acts, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&acts);
    close(to[0]);
    close(from[1]);
    f->in = to[1];
    out = fdopen(from[0], "r");
    ok = ok && out != NULL && fscanf(out, "port %u", &f->port) == 1;
    if (out != NULL)
        fclose(out);
    snprintf(f->root, sizeof f->root, "http://127.0.0.1:%u", f->port);
    return ok ? 0 : -1;
}

static inline void fake_stop(fake *f)
{
    close(f->in);
    waitpid(f->pid, NULL, 0);
}

/* The server of a test program, for cmocka_run_group_tests(). */
static fake server;

static inline int fake_set_up(void **state)
{
    (void)state;
    return fake_start(&server);
}

static inline int fake_tear_down(void **state)
{
    (void)state;
    fake_stop(&server);
    return 0;
}

/* A behaviour, how a call against it must end and words of its message. */
typedef struct fake_case {
    const char *list;
    rag_status st;
    const char *says;
} fake_case;

static inline bool fake_ended(const fake_case *c, rag_status st,
                              const rag_error *err)
{
    return st == c->st && (st == RAG_OK || strstr(err->msg, c->says) != NULL);
}

/* The base URL with a list of behaviours and an ending ("/v1", ""). */
static inline const char *fake_url(fake *f, const char *list, const char *end)
{
    snprintf(f->url, sizeof f->url, "%s/x/%s%s", f->root, list, end);
    return f->url;
}

static inline rag_status fake_keep(void *ctx, const rag_http_reply *reply,
                                   rag_error *err)
{
    rag_buf *b = ctx;

    (void)err;
    rag_buf_adds(b, reply->body);
    return reply->st;
}

/* GET of path ("/stats", "/last") below a list; empty on failure. */
static inline void fake_get(rag_buf *out, fake *f, const char *list,
                            const char *path)
{
    rag_http_opts o = {0};
    rag_http_request q = {.path = path,
                          .max_body_bytes = (size_t)1 << 26,
                          .done = fake_keep,
                          .ctx = out};
    char url[4096];
    rag_http *h = NULL;

    rag_buf_init(out, (size_t)1 << 26);
    snprintf(url, sizeof url, "%s/x/%s", f->root, list);
    if (rag_http_new(&h, url, &o, NULL) != RAG_OK ||
        rag_http_start(h, &q, NULL) != RAG_OK ||
        rag_http_run(h, NULL) != RAG_OK)
        fprintf(stderr, "fakellm does not answer\n");
    rag_http_free(h);
}

/* One number of /stats. */
static inline long fake_stat(fake *f, const char *list, const char *name)
{
    rag_json *root = NULL;
    long n = -1;
    rag_buf b;

    fake_get(&b, f, list, "/stats");
    if (rag_json_parse(&root, rag_buf_str(&b), b.max_bytes, "stats", NULL) ==
        RAG_OK)
        n = (long)rag_json_get_num(root, name, -1);
    rag_json_free(root);
    rag_buf_dispose(&b);
    return n;
}

#endif /* RAG_TESTS_FAKEUSE_H */

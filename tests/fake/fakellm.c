#include "fakellm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_HEAD ((size_t)64 * 1024)
#define MAX_BODY ((size_t)256 * 1024 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fake_state *states;
static const char *behave = "";

/* ---- behaviours */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool fake_opt(char *out, size_t cap, const fake_request *r, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = r->list; *p != '\0';) {
        size_t len = strcspn(p, ",");

        if (len >= n && strncmp(p, name, n) == 0 && (len == n || p[n] == '=')) {
            size_t o = 0;

            for (size_t i = len == n ? n : n + 1; i < len && o + 1 < cap; i++) {
                if (p[i] == '%' && i + 2 < len && hex(p[i + 1]) >= 0 &&
                    hex(p[i + 2]) >= 0) {
                    out[o++] = (char)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
                    i += 2;
                } else {
                    out[o++] = p[i];
                }
            }
            out[o] = '\0';
            return true;
        }
        p += len + (p[len] == ',');
    }
    out[0] = '\0';
    return false;
}

bool fake_has(const fake_request *r, const char *name)
{
    char v[16];

    return fake_opt(v, sizeof v, r, name);
}

long fake_num(const fake_request *r, const char *name, long def)
{
    char v[32];

    return fake_opt(v, sizeof v, r, name) ? strtol(v, NULL, 10) : def;
}

void fake_sleep(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    if (ms > 0)
        (void)nanosleep(&t, NULL);
}

/* ---- replies */

bool fake_write(int fd, const char *bytes, size_t n)
{
    while (n != 0) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        bytes += k;
        n -= (size_t)k;
    }
    return true;
}

void fake_json_str(rag_buf *b, const char *s, size_t n)
{
    rag_buf_addc(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\')
            rag_buf_addf(b, "\\%c", c);
        else if (c < ' ')
            rag_buf_addf(b, "\\u%04x", c);
        else
            rag_buf_addc(b, s[i]);
    }
    rag_buf_addc(b, '"');
}

bool fake_head(const fake_request *r, long status, const char *type,
               size_t n_bytes, const char *more)
{
    char head[1024];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %ld Status\r\nContent-Type: %s\r\n"
                     "Content-Length: %zu\r\n%s\r\n",
                     status, type, n_bytes, more);

    return n > 0 && (size_t)n < sizeof head &&
           fake_write(r->fd, head, (size_t)n);
}

/* In pieces of net=N bytes, with a pause in the middle, up to cut=N. */
static bool write_body(const fake_request *r, const char *bytes, size_t len)
{
    size_t step = (size_t)fake_num(r, "net", 1 << 20);
    size_t cut = (size_t)fake_num(r, "cut", -1);
    long pause = fake_num(r, "body_ms", 0);
    size_t end = len < cut ? len : cut;

    for (size_t at = 0; at < end;) {
        size_t n = end - at < step ? end - at : step;

        if (pause > 0 && at < len / 2 && at + n >= len / 2)
            n = len / 2 > at ? len / 2 - at : n;
        if (n == 0)
            n = 1;
        if (!fake_write(r->fd, bytes + at, n))
            return false;
        at += n;
        if (pause > 0 && at >= len / 2) {
            fake_sleep(pause);
            pause = 0;
        }
    }
    return end == len;
}

bool fake_reply(const fake_request *r, long status, const char *type,
                const rag_buf *body)
{
    fake_sleep(fake_num(r, "head_ms", 0));
    if (body->failed != RAG_OK)
        return false;
    if (fake_has(r, "net") || fake_has(r, "cut") || fake_has(r, "body_ms"))
        return fake_head(r, status, type, body->len, "") &&
               write_body(r, body->ptr, body->len);
    return fake_head(r, status, type, body->len, "") &&
           fake_write(r->fd, body->ptr, body->len);
}

static bool error_with(const fake_request *r, long status, const char *message,
                       const char *more)
{
    rag_buf b;
    bool ok;

    rag_buf_init(&b, MAX_HEAD);
    rag_buf_addz(&b, r->ollama ? "{\"error\":" : "{\"error\":{\"message\":");
    fake_json_str(&b, message, strlen(message));
    if (!r->ollama)
        rag_buf_addf(&b, ",\"type\":\"fake_error\",\"code\":%ld}", status);
    rag_buf_addc(&b, '}');
    fake_sleep(fake_num(r, "head_ms", 0));
    ok = fake_head(r, status, "application/json", b.len, more) &&
         fake_write(r->fd, b.ptr, b.len);
    rag_buf_dispose(&b);
    return ok;
}

bool fake_error(const fake_request *r, long status, const char *message)
{
    return error_with(r, status, message, "");
}

/* ---- counters */

static fake_state *state_of(const char *list, size_t len)
{
    fake_state *s;

    for (s = states; s != NULL; s = s->next)
        if (strlen(s->list) == len && memcmp(s->list, list, len) == 0)
            return s;
    s = calloc(1, sizeof *s);
    if (s == NULL || (s->list = strndup(list, len)) == NULL)
        exit(1);
    s->next = states;
    states = s;
    return s;
}

void fake_count_texts(fake_request *r, size_t n)
{
    (void)pthread_mutex_lock(&lock);
    r->state->n_embed++;
    r->state->n_texts += n;
    (void)pthread_mutex_unlock(&lock);
}

static bool stats(const fake_request *r)
{
    rag_buf b;
    bool ok;

    rag_buf_init(&b, MAX_HEAD);
    (void)pthread_mutex_lock(&lock);
    rag_buf_addf(&b,
                 "{\"requests\":%u,\"embed\":%u,\"chat\":%u,\"texts\":%lu,"
                 "\"most_at_once\":%u}\n",
                 r->state->n_requests, r->state->n_embed, r->state->n_chat,
                 r->state->n_texts, r->state->most_at_once);
    (void)pthread_mutex_unlock(&lock);
    ok = fake_head(r, 200, "application/json", b.len, "") &&
         fake_write(r->fd, b.ptr, b.len);
    rag_buf_dispose(&b);
    return ok;
}

static bool last(const fake_request *r)
{
    bool ok;

    (void)pthread_mutex_lock(&lock);
    ok = fake_head(r, 200, "text/plain", r->state->last_len, "") &&
         fake_write(r->fd, r->state->last, r->state->last_len);
    (void)pthread_mutex_unlock(&lock);
    return ok;
}

static bool reset(const fake_request *r)
{
    fake_state *s = r->state;

    (void)pthread_mutex_lock(&lock);
    s->n_requests = s->n_embed = s->n_chat = s->most_at_once = 0;
    s->n_texts = 0;
    (void)pthread_mutex_unlock(&lock);
    return stats(r);
}

/* ---- requests that fail first */

/* fail=S.N[.R] */
static bool first_fails(const fake_request *r, bool *answered)
{
    char v[64];
    char more[128] = "";
    char says[256];
    char *p;
    long status;
    unsigned long n;

    *answered = false;
    if (!fake_opt(v, sizeof v, r, "fail"))
        return true;
    status = strtol(v, &p, 10);
    n = *p == '.' ? strtoul(p + 1, &p, 10) : 1;
    if (r->nth > n)
        return true;
    *answered = true;
    if (p[0] == '.' && p[1] == 'd') {
        time_t when = time(NULL) + strtol(p + 2, NULL, 10);
        struct tm tm;

        (void)gmtime_r(&when, &tm);
        (void)strftime(more, sizeof more,
                       "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    } else if (p[0] == '.') {
        (void)snprintf(more, sizeof more, "Retry-After: %s\r\n", p + 1);
    }
    if (!fake_opt(says, sizeof says, r, "fail_message"))
        (void)snprintf(says, sizeof says, "try again later");
    return error_with(r, status, says, more);
}

static bool authorised(const fake_request *r)
{
    char key[256];
    char want[300];
    int n;

    if (!fake_opt(key, sizeof key, r, "key"))
        return true;
    n = snprintf(want, sizeof want, "\r\nAuthorization: Bearer %s\r\n", key);
    return n > 0 && memmem(r->head.ptr, r->head.len, want, (size_t)n) != NULL;
}

/* ---- requests */

static bool ends(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    size_t k = strlen(suffix);

    return n >= k && strcmp(path + n - k, suffix) == 0;
}

static bool route(fake_request *r)
{
    char says[512];
    bool answered;
    bool ok;
    rag_buf b;

    if (fake_has(r, "hang")) {
        char c;

        while (recv(r->fd, &c, 1, 0) > 0) {
        }
        return false;
    }
    if (r->nth <= (unsigned)fake_num(r, "drop", 0))
        return false;
    if (!authorised(r))
        return fake_error(r, 401, "Invalid API Key");
    ok = first_fails(r, &answered);
    if (answered)
        return ok;
    ok = fake_broken(r, &answered);
    if (answered)
        return ok;
    if (fake_has(r, "status")) {
        if (!fake_opt(says, sizeof says, r, "message"))
            (void)snprintf(says, sizeof says, "no luck");
        return fake_error(r, fake_num(r, "status", 500), says);
    }
    if (ends(r->path, "/embeddings") || ends(r->path, "/api/embed"))
        return fake_embed(r);
    if (ends(r->path, "/rerank"))
        return fake_rerank(r);
    if (ends(r->path, "/chat/completions") || ends(r->path, "/api/chat")) {
        (void)pthread_mutex_lock(&lock);
        r->state->n_chat++;
        (void)pthread_mutex_unlock(&lock);
        return fake_chat(r);
    }
    rag_buf_init(&b, 256);
    rag_buf_addz(&b, "{\"object\":\"list\",\"data\":[{\"id\":\"fake\"}],"
                     "\"models\":[{\"name\":\"fake\"}],\"version\":\"0\"}");
    ok = ends(r->path, "/models") || ends(r->path, "/api/tags") ||
                 ends(r->path, "/api/show") || ends(r->path, "/api/version")
             ? fake_reply(r, 200, "application/json", &b)
             : fake_error(r, 404, "page not found");
    rag_buf_dispose(&b);
    return ok;
}

/* Splits "/x/LIST/path" and finds the counters. */
static void find_state(fake_request *r, char *path)
{
    const char *list = behave;
    size_t len = strlen(behave);

    r->path = path;
    if (strncmp(path, "/x/", 3) == 0) {
        char *end = strchr(path + 3, '/');

        list = path + 3;
        len = end != NULL ? (size_t)(end - list) : strlen(list);
        r->path = end != NULL ? end : "";
    }
    (void)pthread_mutex_lock(&lock);
    r->state = state_of(list, len);
    r->list = r->state->list;
    (void)pthread_mutex_unlock(&lock);
}

static bool serve_one(int fd, char *bytes, size_t head_len, size_t len)
{
    fake_request r = {.fd = fd};
    char *path = strchr(bytes, ' ');
    char *end = path != NULL ? strchr(path + 1, ' ') : NULL;
    char *copy;
    bool ok;

    if (end == NULL)
        return false;
    copy = strndup(path + 1, (size_t)(end - path - 1));
    if (copy == NULL)
        return false;
    find_state(&r, copy);
    if (strcmp(r.path, "/stats") == 0 || strcmp(r.path, "/last") == 0 ||
        strcmp(r.path, "/reset") == 0) {
        ok = r.path[1] == 's'   ? stats(&r)
             : r.path[1] == 'l' ? last(&r)
                                : reset(&r);
        free(copy);
        return ok;
    }
    r.head = rag_str_n(bytes, head_len);
    r.ollama = strstr(r.path, "/api/") != NULL;
    (void)pthread_mutex_lock(&lock);
    r.nth = ++r.state->n_requests;
    if (++r.state->n_now > r.state->most_at_once)
        r.state->most_at_once = r.state->n_now;
    free(r.state->last);
    r.state->last = malloc(len + 1);
    if (r.state->last == NULL)
        exit(1);
    memcpy(r.state->last, bytes, len);
    r.state->last_len = len;
    (void)pthread_mutex_unlock(&lock);
    if (len > head_len &&
        rag_json_parse(&r.json, rag_str_n(bytes + head_len, len - head_len),
                       MAX_BODY, "request", NULL) != RAG_OK)
        r.json = NULL; /* missing fields then say what was wrong */
    ok = route(&r);
    rag_json_free(r.json);
    (void)pthread_mutex_lock(&lock);
    r.state->n_now--;
    (void)pthread_mutex_unlock(&lock);
    free(copy);
    return ok;
}

/* One connection: requests until somebody has enough. */
static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    rag_buf in;
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    rag_buf_init(&in, MAX_HEAD + MAX_BODY);
    for (;;) {
        size_t head_len = 0;
        size_t want = SIZE_MAX;

        while (in.len < want) {
            char *room = rag_buf_reserve(&in, 65536);
            ssize_t n = room != NULL ? recv(fd, room, 65536, 0) : -1;
            char *end;

            if (n <= 0)
                goto out;
            rag_buf_wrote(&in, (size_t)n);
            if (head_len != 0)
                continue;
            end = memmem(in.ptr, in.len, "\r\n\r\n", 4);
            if (end == NULL)
                continue;
            head_len = (size_t)(end - in.ptr) + 4;
            want = head_len;
            for (char *p = in.ptr; p < end; p++)
                if (strncasecmp(p, "\ncontent-length:", 16) == 0)
                    want = head_len + strtoul(p + 16, NULL, 10);
        }
        if (!serve_one(fd, in.ptr, head_len, in.len))
            goto out;
        rag_buf_clear(&in);
    }
out:
    rag_buf_dispose(&in);
    (void)close(fd);
    return NULL;
}

static void *watch_stdin(void *arg)
{
    char c;

    (void)arg;
    while (read(STDIN_FILENO, &c, 1) > 0) {
    }
    _exit(0);
}

static int open_port(unsigned *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)*port);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(fd, 128) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return -1;
    *port = ntohs(a.sin_port);
    return fd;
}

static void start(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    if (pthread_create(&t, NULL, fn, arg) != 0)
        exit(1);
    (void)pthread_detach(t);
}

int main(int argc, char **argv)
{
    unsigned life = 600;
    unsigned port = 0;
    int fd;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--stdin") == 0) {
            start(watch_stdin, NULL);
        } else if (i + 1 < argc && strcmp(argv[i], "--behave") == 0) {
            behave = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--life") == 0) {
            life = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--port") == 0) {
            port = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: fakellm [--behave LIST] [--stdin] "
                            "[--life SECS] [--port N]\n");
            return 2;
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(life); /* an orphan does not stay */
    fd = open_port(&port);
    if (fd < 0) {
        perror("fakellm");
        return 1;
    }
    printf("port %u\n", port);
    (void)fflush(stdout);
    for (;;) {
        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (c >= 0)
            start(serve, (void *)(intptr_t)c);
    }
}

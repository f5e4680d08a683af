/* Replies that no client should trust, and recorded ones. */
#include "fakellm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool huge(const fake_request *r)
{
    size_t left = (size_t)fake_num(r, "huge", 1) << 20;
    char block[65536];

    memset(block, ' ', sizeof block);
    if (!fake_head(r, 200, "application/json", left, ""))
        return false;
    for (; left != 0; left -= sizeof block)
        if (!fake_write(r->fd, block, sizeof block))
            return false;
    return true;
}

/* A recorded reply: status, type and body of FILE behind its line "### R...",
 * up to the next "### ". Bodies were recorded without their chunks. */
static bool replay(const fake_request *r, const char *path)
{
    char *bytes = calloc(1, (size_t)1 << 20);
    FILE *f = fopen(path, "rb");
    char type[128] = "application/json";
    bool ok = false;
    char *head;
    char *body;
    char *end;
    char *p;

    if (bytes == NULL || f == NULL ||
        fread(bytes, 1, ((size_t)1 << 20) - 1, f) == 0)
        goto out;
    head = strstr(bytes, "HTTP/1.1 ");
    body = head != NULL ? strstr(head, "\r\n\r\n") : NULL;
    if (body == NULL)
        goto out;
    *body = '\0';
    body += 4;
    end = strstr(body, "\n### ");
    p = strcasestr(head, "\ncontent-type: ");
    if (p != NULL)
        (void)snprintf(type, sizeof type, "%.*s", (int)strcspn(p + 15, "\r\n"),
                       p + 15);
    {
        size_t n = end != NULL ? (size_t)(end - body) : strlen(body);

        ok = fake_head(r, strtol(head + 9, NULL, 10), type, n, "") &&
             fake_write(r->fd, body, n);
    }
out:
    if (f != NULL)
        (void)fclose(f);
    free(bytes);
    return ok;
}

bool fake_broken(const fake_request *r, bool *answered)
{
    static const struct {
        const char *name, *type, *body;
    } plain[] = {
        {"badutf8", "application/json", "{\"data\":\"\xC3(\"}"},
        {"nul", "application/json", "{\"data\":\"\\u0000\"}"},
        {"empty", "application/json", ""},
        {"badjson", "application/json", "{\"data\":[{\"embed"},
        {"html", "text/html", "<html><title>Welcome</title></html>"},
    };
    char v[4096];
    rag_buf b;
    bool ok = false;

    *answered = true;
    rag_buf_init(&b, (size_t)1 << 22);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (fake_has(r, plain[i].name)) {
            rag_buf_addz(&b, plain[i].body);
            ok = fake_reply(r, 200, plain[i].type, &b);
            goto out;
        }
    }
    if (fake_has(r, "deep")) {
        rag_buf_addz(&b, "{\"data\":");
        for (size_t i = 0; i < 100000; i++)
            rag_buf_addc(&b, '[');
        ok = fake_reply(r, 200, "application/json", &b);
    } else if (fake_has(r, "redirect")) {
        ok = fake_head(r, 307, "text/plain", 0,
                       "Location: http://127.0.0.1:1/elsewhere\r\n");
    } else if (fake_has(r, "huge")) {
        ok = huge(r);
    } else if (fake_opt(v, sizeof v, r, "replay")) {
        ok = replay(r, v);
    } else if (fake_opt(v, sizeof v, r, "raw")) {
        rag_buf_addz(&b, v);
        ok = fake_reply(r, fake_num(r, "status", 200), "text/plain", &b);
    } else {
        *answered = false;
    }
out:
    rag_buf_dispose(&b);
    return ok;
}

#include "net/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"

static bool is_loopback(rag_str host)
{
    char text[64];
    struct in_addr v4;
    struct in6_addr v6;

    if (rag_str_ieqz(host, "localhost"))
        return true;
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Letters, digits, '-', '.', '_' for names; hexadecimal and ':' in brackets.
 * No percent signs: two readings of one host are one too many. */
static bool host_ok(rag_str host, bool bracketed)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    static const char v6[] = "0123456789abcdefABCDEF:.";

    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] == '\0' ||
            strchr(bracketed ? v6 : name, host.ptr[i]) == NULL)
            return false;
    return host.len != 0;
}

static bool port_ok(rag_str port)
{
    uint64_t n;

    return rag_str_u64(&n, port) && n >= 1 && n <= 65535;
}

/* authority = host [":" port], host may be "[v6]" */
static bool split_authority(rag_url *out)
{
    rag_str a = out->authority;
    size_t end;
    bool bracketed = a.len != 0 && a.ptr[0] == '[';

    if (bracketed) {
        end = rag_str_find_char(a, ']');
        if (end == SIZE_MAX)
            return false;
        out->host = rag_str_cut(a, 1, end);
        end++;
    } else {
        end = rag_str_find_char(a, ':');
        if (end == SIZE_MAX)
            end = a.len;
        out->host = rag_str_cut(a, 0, end);
    }
    if (end < a.len &&
        (a.ptr[end] != ':' || !port_ok(rag_str_cut(a, end + 1, a.len))))
        return false;
    return host_ok(out->host, bracketed);
}

static rag_status check_bytes(rag_str s, rag_error *err)
{
    if (s.len == 0 || s.len > RAG_URL_MAX_BYTES)
        return rag_fail(err, RAG_E_INVAL,
                        "URL of %zu bytes: 1 to %u are possible", s.len,
                        RAG_URL_MAX_BYTES);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == 0x7F || c == '\\')
            return rag_fail(err, RAG_E_INVAL,
                            "URL holds a space, line break, backslash or "
                            "control character (byte %zu)",
                            i);
    }
    return RAG_OK;
}

rag_status rag_url_parse(rag_url *out, const char *text, rag_error *err)
{
    rag_str s = rag_str_of(text);
    rag_str rest;
    size_t at;
    rag_status st = check_bytes(s, err);

    memset(out, 0, sizeof *out);
    if (st != RAG_OK)
        return st;
    at = rag_str_find(s, RAG_STR_LIT("://"));
    if (at == SIZE_MAX)
        return rag_fail(err, RAG_E_INVAL,
                        "URL has no scheme: it must begin with http:// or "
                        "https://");
    out->scheme = rag_str_cut(s, 0, at);
    out->tls = rag_str_ieqz(out->scheme, "https");
    if (!out->tls && !rag_str_ieqz(out->scheme, "http"))
        return rag_fail(err, RAG_E_INVAL,
                        "URL must begin with http:// or https://");
    rest = rag_str_cut(s, at + 3, s.len);
    for (at = 0; at < rest.len && strchr("/?#", rest.ptr[at]) == NULL;)
        at++;
    out->authority = rag_str_cut(rest, 0, at);
    out->path = rag_str_cut(rest, at, rest.len);
    if (rag_str_find_char(out->authority, '@') != SIZE_MAX)
        return rag_fail(err, RAG_E_INVAL,
                        "URL holds a user name or password: name the variable "
                        "of the key instead (key_env)");
    if (rag_str_find_char(out->path, '?') != SIZE_MAX ||
        rag_str_find_char(out->path, '#') != SIZE_MAX)
        return rag_fail(err, RAG_E_INVAL,
                        "URL holds '?' or '#': a base URL has no query");
    if (!split_authority(out))
        return rag_fail(err, RAG_E_INVAL, "URL has no valid host and port");
    out->loopback = is_loopback(out->host);
    return RAG_OK;
}

static rag_str trim_quotes(rag_str s)
{
    s = rag_str_trim(s);
    while (s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '\'') &&
           s.ptr[s.len - 1] == s.ptr[0])
        s = rag_str_trim(rag_str_cut(s, 1, s.len - 1));
    while (s.len != 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    return s;
}

/* Appends host and port; listening addresses become addresses to talk to. */
static void add_authority(rag_buf *b, rag_str authority, unsigned default_port)
{
    static const struct {
        const char *from, *to;
    } any[] = {{"0.0.0.0", "127.0.0.1"}, {"[::]", "[::1]"}};
    rag_str host = authority;
    rag_str port = {"", 0};
    size_t colon = authority.len;

    while (colon != 0 && authority.ptr[colon - 1] != ':' &&
           authority.ptr[colon - 1] != ']')
        colon--;
    if (colon != 0 && authority.ptr[colon - 1] == ':') {
        host = rag_str_cut(authority, 0, colon - 1);
        port = rag_str_cut(authority, colon, authority.len);
    }
    if (host.len == 0 && port.len != 0)
        host = RAG_STR_LIT("127.0.0.1");
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if (rag_str_eqz(host, any[i].from))
            host = rag_str_of(any[i].to);
    rag_buf_adds(b, host);
    if (port.len != 0) {
        rag_buf_addc(b, ':');
        rag_buf_adds(b, port);
    } else if (default_port != 0) {
        rag_buf_addf(b, ":%u", default_port);
    }
}

rag_status rag_url_normalise(char **out, const char *text,
                             unsigned default_port, rag_error *err)
{
    rag_str s = trim_quotes(rag_str_of(text));
    rag_str rest = s;
    rag_url parts;
    size_t at = rag_str_find(s, RAG_STR_LIT("://"));
    rag_buf b;
    rag_status st;

    *out = NULL;
    rag_buf_init(&b, RAG_URL_MAX_BYTES + 64);
    if (at != SIZE_MAX) {
        rag_buf_adds(&b, rag_str_cut(s, 0, at + 3));
        rest = rag_str_cut(s, at + 3, s.len);
        default_port = 0;
    } else {
        rag_buf_addz(&b, "http://");
    }
    at = rag_str_find_char(rest, '/');
    if (at == SIZE_MAX)
        at = rest.len;
    if (rag_str_find_char(rag_str_cut(rest, 0, at), '@') == SIZE_MAX)
        add_authority(&b, rag_str_cut(rest, 0, at), default_port);
    else
        rag_buf_adds(&b, rag_str_cut(rest, 0, at)); /* refused below */
    rag_buf_adds(&b, rag_str_cut(rest, at, rest.len));
    if (b.failed == RAG_E_LIMIT)
        st = rag_fail(err, RAG_E_INVAL, "URL is longer than %u bytes",
                      RAG_URL_MAX_BYTES);
    else
        st = rag_buf_status(&b, err);
    if (st != RAG_OK)
        goto out;
    if (memchr(b.ptr, 0, b.len) != NULL) {
        st = rag_fail(err, RAG_E_INVAL, "URL holds a NUL byte");
        goto out;
    }
    TRY(rag_url_parse(&parts, b.ptr, err));
    *out = rag_buf_take(&b, NULL);
    st = *out != NULL ? RAG_OK : rag_fail_nomem(err);
out:
    rag_buf_dispose(&b);
    return st;
}

#include "doc/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "doc/guess.h"

/* one pread(2) of a file that is read whole or decoded as it comes */
#define STEP_BYTES ((size_t)256 << 10)
/* what a guess looks at: more bytes change no answer and cost time */
#define SAMPLE_BYTES ((size_t)64 << 10)
/* how far the zero bytes of UTF-16 and UTF-32 are counted */
#define WIDE_BYTES ((size_t)4096)

static const char replacement[] = "\xEF\xBF\xBD";

static void set_name(char out[RAG_CHARSET_NAME_BYTES], const char *name)
{
    size_t n = strlen(name);

    if (n >= RAG_CHARSET_NAME_BYTES)
        n = RAG_CHARSET_NAME_BYTES - 1;
    memcpy(out, name, n);
    out[n] = '\0';
}

size_t rag_charset_bom(rag_str text)
{
    return rag_str_starts(text, "\xEF\xBB\xBF") ? 3 : 0;
}

/* ---- wide encodings */

static const char *mark_of(rag_str s)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *name;
    } marks[] = {{"\xEF\xBB\xBF", 3, "UTF-8"},
                 {"\xFF\xFE\0\0", 4, "UTF-32LE"},
                 {"\0\0\xFE\xFF", 4, "UTF-32BE"},
                 {"\xFF\xFE", 2, "UTF-16LE"},
                 {"\xFE\xFF", 2, "UTF-16BE"}};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (s.len >= marks[i].len &&
            memcmp(s.ptr, marks[i].bytes, marks[i].len) == 0)
            return marks[i].name;
    return NULL;
}

/* May this 16-bit unit stand in a text? Controls may not; white space does. */
static bool unit_ok(unsigned u)
{
    return (u >= 0x20 || u == '\n' || u == '\r' || u == '\t' || u == '\f') &&
           (u < 0x7F || u >= 0xA0) && u != 0xFFFF && u != 0xFFFE;
}

/* UTF-16 without a mark: ASCII (blanks, digits, markup) leaves zero bytes,
 * most on one side (U+AC00 leaves them on the other), and hardly a unit is a
 * control. */
static const char *wide16_of(rag_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t n = (s.len < WIDE_BYTES ? s.len : WIDE_BYTES) / 2;
    size_t zero[2] = {0, 0};
    size_t n_bad = 0;
    size_t low;

    for (size_t i = 0; i < 2 * n; i++)
        if (p[i] == 0)
            zero[i % 2]++;
    low = zero[0] < zero[1] ? 0 : 1; /* the side with fewer zeros */
    if (n < 2 || zero[1 - low] * 50 < n || zero[low] * 3 > zero[1 - low])
        return NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned high = p[2 * i + 1 - low];

        if (!unit_ok(high << 8 | p[2 * i + low]))
            n_bad++;
    }
    if (n_bad * 50 > n)
        return NULL;
    return low == 0 ? "UTF-16LE" : "UTF-16BE";
}

static const char *wide32_of(rag_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t n = (s.len < WIDE_BYTES ? s.len : WIDE_BYTES) / 4;
    size_t le = 0;
    size_t be = 0;

    for (size_t i = 0; i < n; i++) {
        const unsigned char *q = p + 4 * i;

        if (q[3] == 0 && q[2] <= 0x10 && (q[1] != 0 || unit_ok(q[0])))
            le++;
        if (q[0] == 0 && q[1] <= 0x10 && (q[2] != 0 || unit_ok(q[3])))
            be++;
    }
    if (n < 2)
        return NULL;
    return le == n ? "UTF-32LE" : be == n ? "UTF-32BE" : NULL;
}

static const char *escapes_of(rag_str s)
{
    if (rag_str_find(s, RAG_STR_LIT("\x1B$)C")) != SIZE_MAX)
        return "ISO-2022-KR";
    if (rag_str_find(s, RAG_STR_LIT("\x1B$B")) != SIZE_MAX ||
        rag_str_find(s, RAG_STR_LIT("\x1B$@")) != SIZE_MAX)
        return "ISO-2022-JP";
    return NULL;
}

/* ---- UTF-8 with faults */

typedef struct utf8_census {
    size_t n_bad; /* ill-formed parts */
    size_t n_nul;
    size_t n_multi;   /* well-formed characters beyond ASCII */
    size_t n_more;    /* bytes that mending adds */
    size_t first_bad; /* offset; SIZE_MAX when none */
} utf8_census;

static utf8_census take_census(rag_str s)
{
    utf8_census c = {.first_bad = SIZE_MAX};
    size_t i = 0;

    while (i < s.len) {
        unsigned char byte = (unsigned char)s.ptr[i];
        uint32_t cp;
        bool ok;
        size_t n;

        if (byte != 0 && byte < 0x80) {
            i++;
            continue;
        }
        n = rag_utf8_decode(&cp, &ok, rag_str_cut(s, i, s.len));
        if (byte == 0) {
            c.n_nul++;
            c.n_more += 2;
        } else if (ok) {
            c.n_multi++;
        } else {
            if (c.first_bad == SIZE_MAX)
                c.first_bad = i;
            c.n_bad++;
            c.n_more += 3 - n; /* an ill-formed part has at most 3 bytes */
        }
        i += n;
    }
    return c;
}

/* A few faults in what is plainly UTF-8: a cut end, stray bytes. In a text of
 * another encoding well-formed sequences are rare accidents. */
static bool mostly_utf8(const utf8_census *c)
{
    return c->n_bad == 0 || c->n_bad * 4 <= c->n_multi;
}

/* NUL and what else no text holds; white space, bell and escape may be. */
static size_t count_controls(rag_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        n += (c < 0x20 && (c < 7 || c > 13) && c != 0x1B) || c == 0x7F;
    }
    return n;
}

/* UTF-8 with stray NULs: in UTF-16 they are many, and the other bytes are no
 * UTF-8 or hold controls. */
static bool holds_nuls(rag_str s)
{
    rag_str front = rag_str_cut(s, 0, WIDE_BYTES);
    utf8_census c = take_census(front);

    return c.n_nul * 8 < front.len && mostly_utf8(&c) &&
           (count_controls(front) - c.n_nul) * 50 <= front.len;
}

/* What the front of a file says by itself, or NULL. */
static const char *sure_of(rag_str s)
{
    const char *name = mark_of(s);

    if (name == NULL && memchr(s.ptr, 0, s.len) != NULL) {
        name = wide32_of(s);
        if (name == NULL && !holds_nuls(s))
            name = wide16_of(s);
    }
    return name != NULL ? name : escapes_of(s);
}

bool rag_charset_is_text(rag_str head)
{
    size_t n = count_controls(head);

    /* stray controls and NULs happen in logs; compressed or encrypted bytes
     * hold a tenth of them, programs more */
    return n * 20 <= head.len || n == 1 || sure_of(head) != NULL;
}

void rag_charset_mend(rag_buf *text, size_t *n_bad, size_t *n_nul)
{
    utf8_census c = take_census(rag_buf_str(text));
    size_t len = text->len;
    size_t at = 0;
    char *p;

    *n_bad = c.n_bad;
    *n_nul = c.n_nul;
    if (c.n_bad == 0 && c.n_nul == 0)
        return;
    if (rag_buf_reserve(text, c.n_more) == NULL)
        return;
    /* the text moves to the end of the buffer and is written anew in front:
     * the gap is exactly what all replacements need, so that writing never
     * overtakes reading, and no second copy is made */
    p = text->ptr;
    memmove(p + c.n_more, p, len);
    for (size_t i = c.n_more; i < len + c.n_more;) {
        rag_str rest = rag_str_n(p + i, len + c.n_more - i);
        uint32_t cp;
        bool ok;
        size_t n = rag_utf8_decode(&cp, &ok, rest);

        if (!ok || cp == 0) {
            memcpy(p + at, replacement, 3);
            at += 3;
        } else {
            memmove(p + at, p + i, n);
            at += n;
        }
        i += n;
    }
    rag_buf_wrote(text, c.n_more);
}

/* ---- names */

bool rag_charset_of_label(char out[RAG_CHARSET_NAME_BYTES], rag_str label)
{
    /* what browsers read under these names; iconv's own meaning is narrower */
    static const char *const alias[][2] = {
        {"euc-kr", "CP949"},
        {"ks_c_5601-1987", "CP949"},
        {"ksc5601", "CP949"},
        {"ks_c_5601", "CP949"},
        {"korean", "CP949"},
        {"uhc", "CP949"},
        {"cp949", "CP949"},
        {"windows-949", "CP949"},
        {"shift_jis", "CP932"},
        {"shift-jis", "CP932"},
        {"sjis", "CP932"},
        {"x-sjis", "CP932"},
        {"windows-31j", "CP932"},
        {"ms_kanji", "CP932"},
        {"iso-8859-1", "CP1252"},
        {"latin1", "CP1252"},
        {"us-ascii", "CP1252"},
        {"ascii", "CP1252"},
        {"windows-1252", "CP1252"},
        {"iso-8859-9", "CP1254"},
        {"gb2312", "GB18030"},
        {"gbk", "GB18030"},
        {"utf8", "UTF-8"},
        {"utf-8", "UTF-8"},
        /* a label that could be read is not in these */
        {"utf-16", "UTF-8"},
        {"utf-16le", "UTF-8"},
        {"utf-16be", "UTF-8"},
        {"unicode", "UTF-8"},
    };
    iconv_t cd;

    label = rag_str_trim(label);
    if (label.len == 0 || label.len >= RAG_CHARSET_NAME_BYTES)
        return false;
    for (size_t i = 0; i < sizeof alias / sizeof alias[0]; i++) {
        if (rag_str_ieqz(label, alias[i][0])) {
            set_name(out, alias[i][1]);
            return true;
        }
    }
    for (size_t i = 0; i < label.len; i++)
        if (strchr("/, \t", label.ptr[i]) != NULL) /* iconv's own options */
            return false;
    memcpy(out, label.ptr, label.len);
    out[label.len] = '\0';
    cd = iconv_open("UTF-8", out);
    if (cd == (iconv_t)-1)
        return false;
    (void)iconv_close(cd); /* only tried */
    return true;
}

/* After the sure signs: UTF-8 by its form, the document's word, a guess. */
static void name_of_bytes(char out[RAG_CHARSET_NAME_BYTES], rag_str sample,
                          const utf8_census *c, const char *declared)
{
    set_name(out, "UTF-8");
    if (mostly_utf8(c))
        return;
    if (declared != NULL && rag_charset_of_label(out, rag_str_of(declared)) &&
        strcmp(out, "UTF-8") != 0)
        return;
    rag_guess_charset(out, sample);
}

void rag_charset_detect(char out[RAG_CHARSET_NAME_BYTES], rag_str sample,
                        const char *declared)
{
    const char *name = sample.len != 0 ? sure_of(sample) : "UTF-8";
    utf8_census c;

    if (name != NULL) {
        set_name(out, name);
        return;
    }
    c = take_census(sample);
    name_of_bytes(out, sample, &c, declared);
}

/* ---- reading */

static rag_status read_raw(rag_buf *out, const rag_source *src,
                           size_t max_bytes, rag_error *err)
{
    size_t got = 0;

    if (rag_buf_reserve(out, (size_t)src->n_bytes) == NULL)
        return rag_buf_status(out, err);
    for (;;) {
        size_t room = out->cap - out->len - 1;
        size_t want = room != 0 && room < STEP_BYTES ? room : STEP_BYTES;
        char *to = out->len < src->n_bytes ? out->ptr + out->len
                                           : rag_buf_reserve(out, want);
        rag_status st;

        if (to == NULL)
            return rag_buf_status(out, err);
        if (rag_source_cancelled(src))
            return rag_fail(err, RAG_E_CANCELLED, "cancelled");
        st = rag_source_read(&got, src, to, want, out->len, err);
        if (st != RAG_OK)
            return st;
        rag_buf_wrote(out, got);
        if (out->len > max_bytes)
            return rag_fail(err, RAG_E_LIMIT, "grew beyond %zu bytes",
                            max_bytes);
        if (got < want)
            return RAG_OK;
    }
}

/* Bytes that a fault costs: one unit of the encoding. */
static size_t unit_of(const char *name)
{
    if (strncmp(name, "UTF-16", 6) == 0)
        return 2;
    return strncmp(name, "UTF-32", 6) == 0 ? 4 : 1;
}

/* Decodes what lies in in[0..*n); moves the unfinished rest to the front. */
static void convert(rag_buf *out, iconv_t cd, char *in, size_t *n, bool last,
                    size_t unit, size_t *n_replaced)
{
    char *from = in;
    size_t left = *n;

    while (left != 0 && out->failed == RAG_OK) {
        size_t room = left * 3 + 64;
        char *to = rag_buf_reserve(out, room);
        size_t before = room;
        size_t k;
        int why;

        if (to == NULL)
            break;
        k = iconv(cd, &from, &left, &to, &room);
        why = errno;
        rag_buf_wrote(out, before - room);
        if (k != (size_t)-1 || why == E2BIG)
            continue;
        if (why == EINVAL && !last)
            break; /* the rest of the character comes with the next step */
        rag_buf_add(out, replacement, 3);
        if (unit > left)
            unit = left;
        *n_replaced += unit;
        from += unit;
        left -= unit;
    }
    memmove(in, from, left);
    *n = left;
}

static rag_status decode_file(rag_buf *out, const rag_source *src,
                              size_t max_bytes, const char *name,
                              size_t *n_replaced, rag_error *err)
{
    iconv_t cd = iconv_open("UTF-8", name);
    char *in = rag_malloc(STEP_BYTES);
    uint64_t at = 0;
    size_t kept = 0;
    rag_status st = RAG_OK;
    bool last = false;

    if (cd == (iconv_t)-1) {
        st = errno == ENOMEM ? rag_fail_nomem(err)
                             : rag_fail(err, RAG_E_UNSUPPORTED,
                                        "no decoder for %s here", name);
        goto out;
    }
    if (in == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    while (!last) {
        size_t got;

        if (rag_source_cancelled(src)) {
            st = rag_fail(err, RAG_E_CANCELLED, "cancelled");
            goto out;
        }
        TRY(rag_source_read(&got, src, in + kept, STEP_BYTES - kept, at, err));
        last = got < STEP_BYTES - kept;
        at += got;
        kept += got;
        if (at > max_bytes) {
            st = rag_fail(err, RAG_E_LIMIT, "grew beyond %zu bytes", max_bytes);
            goto out;
        }
        convert(out, cd, in, &kept, last, unit_of(name), n_replaced);
        TRY(rag_buf_status(out, err));
    }
out:
    if (cd != (iconv_t)-1)
        (void)iconv_close(cd); /* nothing is kept in it */
    rag_free(in);
    return st;
}

/* Where the guess looks: from the line of the first fault on. */
static rag_str sample_at(rag_str text, size_t first_bad)
{
    size_t start = first_bad;

    while (start > 0 && first_bad - start < 256 && text.ptr[start - 1] != '\n')
        start--;
    return rag_str_cut(text, start, start + SAMPLE_BYTES);
}

/* What was not as it should be, for the person who asks why. */
static rag_status report(rag_builder *b, const char *name, size_t n_replaced,
                         size_t n_nul, rag_error *err)
{
    /* a share that no damaged text has, but any wrong guess */
    if (n_replaced > 16 && n_replaced > b->text.len / 12)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "not text in any encoding that is known here");
    if (n_replaced != 0)
        rag_builder_warn(b, "decoded as %s, %zu byte%s replaced", name,
                         n_replaced, n_replaced == 1 ? "" : "s");
    if (n_nul != 0)
        rag_builder_warn(b, "%zu NUL byte%s replaced", n_nul,
                         n_nul == 1 ? "" : "s");
    if (strcmp(name, "UTF-8") != 0)
        rag_builder_meta(b, RAG_STR_LIT("charset"), rag_str_of(name));
    return RAG_OK;
}

rag_status rag_charset_read(rag_builder *b, const rag_source *src,
                            size_t max_bytes, const char *what,
                            const char *declared, rag_error *err)
{
    size_t limit = rag_source_limit(src, max_bytes);
    const char *sure = src->head.len != 0 ? sure_of(src->head) : "UTF-8";
    char name[RAG_CHARSET_NAME_BYTES];
    size_t n_replaced = 0;
    size_t n_bad = 0;
    size_t n_nul = 0;
    rag_status st;

    if (src->n_bytes > limit)
        return rag_fail(err, RAG_E_LIMIT,
                        "%llu bytes, %s files above %zu are not read",
                        (unsigned long long)src->n_bytes, what, limit);
    if (sure != NULL) {
        set_name(name, sure);
    } else {
        utf8_census c;

        TRY(read_raw(&b->text, src, limit, err));
        c = take_census(rag_buf_str(&b->text));
        name_of_bytes(name,
                      c.first_bad == SIZE_MAX
                          ? rag_buf_str(&b->text)
                          : sample_at(rag_buf_str(&b->text), c.first_bad),
                      &c, declared);
    }
    if (strcmp(name, "UTF-8") == 0) {
        if (sure != NULL)
            TRY(read_raw(&b->text, src, limit, err));
    } else {
        rag_buf_dispose(&b->text);
        TRY(decode_file(&b->text, src, limit, name, &n_replaced, err));
    }
    rag_charset_mend(&b->text, &n_bad, &n_nul);
    TRY(rag_buf_status(&b->text, err));
    st = report(b, name, n_replaced + n_bad, n_nul, err);
out:
    return st;
}

#include "nn/tokjson.h"

#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "nn/tokens.h"
#include "nn/tokjson_steps.h"

#define MAX_WORD_CHARS 100u
/* far beyond the 600,000 of the largest known */
#define MAX_MERGES (1u << 21)

/* ---- pieces by name ---------------------------------------------------- */

/* Piece -> id + 1, open addressing; a power of two of places. */
typedef struct names {
    uint32_t *ids;
    size_t mask;
    const rag_source_tokens *s;
} names;

static bool names_init(names *n, const rag_source_tokens *s)
{
    size_t size = 16;

    while (size < (size_t)s->n_pieces * 2)
        size *= 2;
    n->s = s;
    n->mask = size - 1;
    n->ids = rag_calloc(size, sizeof *n->ids);
    if (n->ids == NULL)
        return false;
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        size_t at = (size_t)rag_hash_fast(s->pieces[i].ptr, s->pieces[i].len);

        if (s->pieces[i].len == 0)
            continue;
        while (n->ids[at & n->mask] != 0)
            at++;
        n->ids[at & n->mask] = i + 1;
    }
    return true;
}

static bool names_find(uint32_t *id, const names *n, rag_str piece)
{
    size_t at = (size_t)rag_hash_fast(piece.ptr, piece.len);

    for (; n->ids[at & n->mask] != 0; at++) {
        *id = n->ids[at & n->mask] - 1;
        if (rag_str_eq(n->s->pieces[*id], piece))
            return true;
    }
    return false;
}

/* ---- vocabulary -------------------------------------------------------- */

static bool alloc_pieces(rag_source_tokens *s, rag_arena *a, bool scores)
{
    s->pieces = rag_arena_array(a, s->n_pieces, sizeof *s->pieces);
    s->types = rag_arena_array(a, s->n_pieces, sizeof *s->types);
    if (s->pieces == NULL || s->types == NULL)
        return false;
    memset(s->types, RAG_PIECE_UNUSED, s->n_pieces);
    if (!scores)
        return true;
    s->scores = rag_arena_array(a, s->n_pieces, sizeof *s->scores);
    return s->scores != NULL;
}

static rag_status set_count(rag_source_tokens *s, int64_t most, rag_error *err)
{
    if (most < 0)
        return rag_fail(err, RAG_E_FORMAT, "no pieces");
    if (most >= (int64_t)RAG_TOKENS_MAX_PIECES)
        return rag_fail(err, RAG_E_LIMIT, "more than %u pieces",
                        RAG_TOKENS_MAX_PIECES);
    s->n_pieces = (uint32_t)most + 1;
    return RAG_OK;
}

/* The highest id of the added tokens, or `most`. */
static rag_status most_added(int64_t *most, const rag_json *root,
                             rag_error *err)
{
    const rag_json *t = rag_json_first(rag_json_get(root, "added_tokens"));

    for (; t != NULL; t = rag_json_next(t)) {
        int64_t id;

        if (!rag_json_i64(&id, rag_json_get(t, "id")) || id < 0)
            return rag_fail(err, RAG_E_FORMAT, "added_tokens: no id");
        if (id > *most)
            *most = id;
    }
    return RAG_OK;
}

/* {"piece": id, ...} */
static rag_status read_map(rag_tokjson *t, const rag_json *vocab,
                           rag_error *err)
{
    rag_source_tokens *s = t->out;
    const rag_json *v;
    int64_t most = -1;
    int64_t id;
    rag_status st;

    if (!rag_json_is_obj(vocab))
        return rag_fail(err, RAG_E_FORMAT, "model.vocab: no object");
    for (v = rag_json_first(vocab); v != NULL; v = rag_json_next(v)) {
        if (!rag_json_i64(&id, v) || id < 0)
            return rag_fail(err, RAG_E_FORMAT, "model.vocab: no id");
        if (id > most)
            most = id;
    }
    TRY(most_added(&most, t->root, err));
    TRY(set_count(s, most, err));
    if (!alloc_pieces(s, t->arena, false))
        return rag_fail_nomem(err);
    for (v = rag_json_first(vocab); v != NULL; v = rag_json_next(v)) {
        (void)rag_json_i64(&id, v);
        if (s->pieces[id].len != 0)
            return rag_fail(err, RAG_E_FORMAT,
                            "model.vocab: two pieces with the id %lld",
                            (long long)id);
        if (!rag_arena_str(t->arena, &s->pieces[id], rag_json_key(v)))
            return rag_fail_nomem(err);
        s->types[id] = RAG_PIECE_NORMAL;
    }
out:
    return st;
}

/* [["piece", score], ...] */
static rag_status read_scored(rag_tokjson *t, const rag_json *vocab,
                              rag_error *err)
{
    rag_source_tokens *s = t->out;
    const rag_json *v = rag_json_first(vocab);
    int64_t most = (int64_t)rag_json_count(vocab) - 1;
    rag_status st;

    TRY(most_added(&most, t->root, err));
    TRY(set_count(s, most, err));
    if (!rag_json_is_array(vocab))
        return rag_fail(err, RAG_E_FORMAT,
                        "model.vocab: no list of pieces with scores");
    if (!alloc_pieces(s, t->arena, true))
        return rag_fail_nomem(err);
    for (uint32_t i = 0; v != NULL; v = rag_json_next(v), i++) {
        const rag_json *piece = rag_json_first(v);
        double score;
        rag_str text;

        if (!rag_json_str(&text, piece) ||
            !rag_json_num(&score, rag_json_next(piece)))
            return rag_fail(err, RAG_E_FORMAT,
                            "model.vocab: entry %u is no piece with a score",
                            i);
        if (!rag_arena_str(t->arena, &s->pieces[i], text))
            return rag_fail_nomem(err);
        s->scores[i] = (float)score;
        s->types[i] = RAG_PIECE_NORMAL;
    }
out:
    return st;
}

/* Pieces "<0x41>" stand for bytes. */
static void mark_bytes(rag_source_tokens *s)
{
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        rag_str p = s->pieces[i];

        if (p.len == 6 && rag_str_starts(p, "<0x") && rag_str_ends(p, ">") &&
            s->types[i] == RAG_PIECE_NORMAL)
            s->types[i] = RAG_PIECE_BYTE;
    }
}

/* ---- added tokens ------------------------------------------------------ */

static bool flag(const rag_json *obj, const char *key)
{
    bool v = false;

    (void)rag_json_bool(&v, rag_json_get(obj, key));
    return v;
}

/* One that is no special token: cut out of the text, before or after it is
 * normalised. known: it is in the model's vocabulary, too. */
static rag_status add_user(rag_tokjson *t, const rag_json *token, uint32_t id,
                           bool known, rag_error *err)
{
    rag_source_tokens *s = t->out;
    rag_str content = s->pieces[id];
    rag_buf nfc;
    rag_status st = RAG_OK;

    if (flag(token, "single_word") || flag(token, "lstrip") ||
        flag(token, "rstrip"))
        return rag_tokjson_unsupported(
            err, "single_word, lstrip or rstrip of the added token", content);
    s->types[id] = known ? RAG_PIECE_USER : RAG_PIECE_ADDED;
    if (!flag(token, "normalized"))
        return RAG_OK;
    if (s->kind == RAG_TOKENS_WORDPIECE || t->prepended ||
        s->form == RAG_FORM_CHARSMAP || s->form == RAG_FORM_NFKC ||
        (t->space_mapped && rag_str_find_char(content, ' ') != SIZE_MAX))
        return rag_tokjson_unsupported(
            err, "with this normalizer, the normalized added token", content);
    if (s->form == RAG_FORM_NONE)
        return RAG_OK;
    s->types[id] = RAG_PIECE_USER_FORM;
    rag_buf_init(&nfc, RAG_TOKJSON_MAX_BYTES);
    rag_utf8_nfc(&nfc, content);
    TRY(rag_buf_status(&nfc, err));
    if (!rag_arena_str(t->arena, &s->pieces[id], rag_buf_str(&nfc)))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&nfc);
    return st;
}

static rag_status add_tokens(rag_tokjson *t, rag_error *err)
{
    const rag_json *token =
        rag_json_first(rag_json_get(t->root, "added_tokens"));
    rag_source_tokens *s = t->out;

    for (; token != NULL; token = rag_json_next(token)) {
        rag_str content = rag_json_get_str(token, "content");
        int64_t id;
        bool known;
        rag_status st;

        (void)rag_json_i64(&id, rag_json_get(token, "id"));
        if (content.len == 0)
            return rag_fail(err, RAG_E_FORMAT, "added_tokens: no content");
        if (s->pieces[id].len != 0 && !rag_str_eq(s->pieces[id], content))
            return rag_fail(err, RAG_E_FORMAT,
                            "added_tokens: %lld is another piece in the "
                            "vocabulary",
                            (long long)id);
        if (!rag_arena_str(t->arena, &s->pieces[id], content))
            return rag_fail_nomem(err);
        known = s->types[id] != RAG_PIECE_UNUSED;
        s->types[id] = RAG_PIECE_SPECIAL;
        if (flag(token, "special"))
            continue;
        st = add_user(t, token, (uint32_t)id, known, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

/* ---- models ------------------------------------------------------------ */

static rag_status find_token(int32_t *out, const rag_source_tokens *s,
                             rag_str name, const char *what, rag_error *err)
{
    for (uint32_t i = 0; name.len != 0 && i < s->n_pieces; i++) {
        if (rag_str_eq(s->pieces[i], name)) {
            *out = (int32_t)i;
            return RAG_OK;
        }
    }
    return rag_fail(err, RAG_E_FORMAT, "model.%s: not in the vocabulary", what);
}

static rag_status read_wordpiece(rag_tokjson *t, const rag_json *model,
                                 rag_error *err)
{
    rag_str prefix = rag_json_get_str(model, "continuing_subword_prefix");
    double most =
        rag_json_get_num(model, "max_input_chars_per_word", MAX_WORD_CHARS);

    if (!rag_str_eqz(prefix, "##"))
        return rag_tokjson_unsupported(err, "continuing_subword_prefix",
                                       prefix);
    if (most < 1 || most > RAG_TOKENS_MAX_WORD_CHARS)
        return rag_fail(err, RAG_E_FORMAT, "max_input_chars_per_word");
    t->out->max_word_chars = (uint32_t)most;
    return read_map(t, rag_json_get(model, "vocab"), err);
}

static rag_status read_unigram(rag_tokjson *t, const rag_json *model,
                               rag_error *err)
{
    rag_source_tokens *s = t->out;
    int64_t unk;
    rag_status st = read_scored(t, rag_json_get(model, "vocab"), err);

    if (st != RAG_OK)
        return st;
    if (!rag_json_i64(&unk, rag_json_get(model, "unk_id")) || unk < 0 ||
        unk >= (int64_t)s->n_pieces)
        return rag_fail(err, RAG_E_FORMAT, "model.unk_id");
    s->unk = (int32_t)unk;
    s->types[unk] = RAG_PIECE_SPECIAL;
    s->collapse_spaces = true;
    s->byte_fallback = flag(model, "byte_fallback");
    if (s->byte_fallback)
        mark_bytes(s);
    return RAG_OK;
}

/* "left right", or ["left", "right"] */
static bool read_pair(rag_str *left, rag_str *right, const rag_json *m)
{
    rag_str both;
    size_t gap;

    if (rag_json_is_array(m))
        return rag_json_str(left, rag_json_first(m)) &&
               rag_json_str(right, rag_json_next(rag_json_first(m)));
    if (!rag_json_str(&both, m))
        return false;
    gap = rag_str_find_char(both, ' ');
    if (gap == SIZE_MAX)
        return false;
    *left = rag_str_cut(both, 0, gap);
    *right = rag_str_cut(both, gap + 1, both.len);
    return true;
}

static rag_status read_merge(rag_source_tokens *s, const names *n,
                             rag_buf *both, const rag_json *m, rag_error *err)
{
    uint32_t i = s->n_merges;
    rag_str left;
    rag_str right;
    rag_status st;

    if (!read_pair(&left, &right, m))
        return rag_fail(err, RAG_E_FORMAT, "merge %u: no pair", i);
    rag_buf_clear(both);
    rag_buf_adds(both, left);
    rag_buf_adds(both, right);
    st = rag_buf_status(both, err);
    if (st != RAG_OK)
        return st;
    if (!names_find(&s->merges[i][0], n, left) ||
        !names_find(&s->merges[i][1], n, right) ||
        !names_find(&s->merged[i], n, rag_buf_str(both)))
        return rag_fail(err, RAG_E_FORMAT,
                        "merge %u: a piece outside the vocabulary", i);
    s->n_merges++;
    return RAG_OK;
}

static rag_status read_merges(rag_tokjson *t, const rag_json *merges,
                              rag_error *err)
{
    rag_source_tokens *s = t->out;
    size_t n = rag_json_count(merges);
    const rag_json *m;
    names by_name = {NULL, 0, NULL};
    rag_buf both;
    rag_status st;

    rag_buf_init(&both, RAG_TOKJSON_MAX_BYTES);
    if (!rag_json_is_array(merges) || n > MAX_MERGES) {
        st = rag_fail(err, RAG_E_FORMAT, "model.merges: %zu of them", n);
        goto out;
    }
    s->merges = rag_arena_array(t->arena, n + 1, sizeof *s->merges);
    s->merged = rag_arena_array(t->arena, n + 1, sizeof *s->merged);
    if (s->merges == NULL || s->merged == NULL || !names_init(&by_name, s)) {
        st = rag_fail_nomem(err);
        goto out;
    }
    st = RAG_OK;
    for (m = rag_json_first(merges); m != NULL; m = rag_json_next(m))
        TRY(read_merge(s, &by_name, &both, m, err));
out:
    rag_free(by_name.ids);
    rag_buf_dispose(&both);
    return st;
}

static rag_status read_bpe(rag_tokjson *t, const rag_json *model,
                           rag_error *err)
{
    static const char *const none[] = {"continuing_subword_prefix",
                                       "end_of_word_suffix"};
    rag_source_tokens *s = t->out;
    rag_str unk = rag_json_get_str(model, "unk_token");
    rag_status st;

    for (size_t i = 0; i < 2; i++) {
        rag_str v = rag_json_get_str(model, none[i]);

        if (v.len != 0)
            return rag_tokjson_unsupported(err, none[i], v);
    }
    if (rag_json_get_num(model, "dropout", 0) > 0)
        return rag_tokjson_unsupported(err, "BPE with", RAG_STR_LIT("dropout"));
    TRY(read_map(t, rag_json_get(model, "vocab"), err));
    TRY(read_merges(t, rag_json_get(model, "merges"), err));
    s->unk = -1;
    if (s->kind == RAG_TOKENS_SP_BPE) {
        s->byte_fallback = flag(model, "byte_fallback");
        if (s->byte_fallback)
            mark_bytes(s);
        if (unk.len != 0)
            TRY(find_token(&s->unk, s, unk, "unk_token", err));
        if (!s->byte_fallback && !flag(model, "fuse_unk"))
            st = rag_tokjson_unsupported(err, "BPE without",
                                         RAG_STR_LIT("fuse_unk"));
        if (flag(model, "ignore_merges"))
            st = rag_tokjson_unsupported(err, "without bytes,",
                                         RAG_STR_LIT("ignore_merges"));
    } else {
        s->ignore_merges = flag(model, "ignore_merges");
    }
out:
    return st;
}

static rag_status read_model(rag_tokjson *t, rag_error *err)
{
    const rag_json *model = rag_json_get(t->root, "model");
    rag_str type = rag_json_get_str(model, "type");
    rag_status st;

    if (rag_str_eqz(type, "WordPiece")) {
        t->out->kind = RAG_TOKENS_WORDPIECE;
        TRY(read_wordpiece(t, model, err));
        return find_token(&t->out->unk, t->out,
                          rag_json_get_str(model, "unk_token"), "unk_token",
                          err);
    }
    if (rag_str_eqz(type, "Unigram")) {
        t->out->kind = RAG_TOKENS_UNIGRAM;
        return read_unigram(t, model, err);
    }
    /* old files of BPE do not name it */
    if (rag_str_eqz(type, "BPE") ||
        (type.len == 0 && rag_json_get(model, "merges") != NULL)) {
        t->out->kind =
            rag_tokjson_has_step(rag_json_get(t->root, "pre_tokenizer"),
                                 "pretokenizers", "ByteLevel")
                ? RAG_TOKENS_BYTE_BPE
                : RAG_TOKENS_SP_BPE;
        return read_bpe(t, model, err);
    }
    st = rag_tokjson_unsupported(err, "model of the type", type);
out:
    return st;
}

static void find_pad(rag_source_tokens *s)
{
    static const char *const name[] = {"<pad>", "[PAD]", "<|padding|>"};

    s->pad = -1;
    for (size_t k = 0; k < sizeof name / sizeof name[0] && s->pad < 0; k++) {
        for (uint32_t i = 0; i < s->n_pieces && s->pad < 0; i++) {
            if (s->types[i] == RAG_PIECE_SPECIAL &&
                rag_str_eqz(s->pieces[i], name[k]))
                s->pad = (int32_t)i;
        }
    }
}

rag_status rag_tokjson_read(rag_source_tokens *out, rag_arena *a, rag_str text,
                            rag_error *err)
{
    rag_tokjson t = {.out = out, .arena = a};
    rag_json *root = NULL;
    rag_status st;

    memset(out, 0, sizeof *out);
    TRY(rag_json_parse(&root, text, RAG_TOKJSON_MAX_BYTES, "tokenizer.json",
                       err));
    t.root = root;
    TRY(read_model(&t, err));
    TRY(rag_tokjson_normalizer(&t, err));
    TRY(rag_tokjson_pre_tokenizer(&t, err));
    TRY(add_tokens(&t, err));
    TRY(rag_tokjson_post_processor(&t, err));
    if (out->unk >= 0)
        out->types[out->unk] = RAG_PIECE_SPECIAL;
    find_pad(out);
out:
    rag_json_free(root);
    return st;
}

/* ---- vocab.txt --------------------------------------------------------- */

static rag_status vocab_lines(rag_source_tokens *s, rag_arena *a, rag_str text,
                              rag_error *err)
{
    rag_str rest = text;
    rag_str line;
    int64_t most = -1;
    rag_status st;

    while (rag_str_next_line(&line, &rest))
        most++;
    TRY(set_count(s, most, err));
    if (!alloc_pieces(s, a, false))
        return rag_fail_nomem(err);
    for (uint32_t i = 0; rag_str_next_line(&line, &text); i++) {
        while (rag_str_ends(line, "\r"))
            line.len--;
        if (line.len == 0)
            continue;
        if (!rag_utf8_valid(line))
            return rag_fail(err, RAG_E_FORMAT, "line %u: no UTF-8", i + 1);
        if (!rag_arena_str(a, &s->pieces[i], line))
            return rag_fail_nomem(err);
        s->types[i] = RAG_PIECE_NORMAL;
    }
out:
    return st;
}

rag_status rag_tokjson_read_vocab(rag_source_tokens *out, rag_arena *a,
                                  rag_str text, bool lowercase, bool accents,
                                  rag_error *err)
{
    static const char *const special[] = {"[CLS]", "[SEP]", "[UNK]", "[PAD]",
                                          "[MASK]"};
    int32_t ids[5] = {-1, -1, -1, -1, -1};
    rag_status st;

    memset(out, 0, sizeof *out);
    out->kind = RAG_TOKENS_WORDPIECE;
    if (text.len > RAG_TOKJSON_MAX_BYTES)
        return rag_fail(err, RAG_E_LIMIT, "vocab.txt of %zu bytes", text.len);
    TRY(vocab_lines(out, a, text, err));
    for (uint32_t i = 0; i < out->n_pieces; i++) {
        for (size_t k = 0; k < 5; k++) {
            if (rag_str_eqz(out->pieces[i], special[k])) {
                ids[k] = (int32_t)i;
                out->types[i] = RAG_PIECE_SPECIAL;
            }
        }
    }
    for (size_t k = 0; k < 3; k++) {
        if (ids[k] < 0)
            return rag_fail(err, RAG_E_FORMAT, "vocab.txt: no %s", special[k]);
    }
    out->bos = ids[0];
    out->eos = ids[1];
    out->unk = ids[2];
    out->pad = ids[3];
    (void)rag_source_norm_bert(out, true, accents, lowercase); /* all empty */
    out->cjk_spaces = true;
    out->max_word_chars = MAX_WORD_CHARS;
out:
    return st;
}

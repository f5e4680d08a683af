#include "nn/tokjson_steps.h"

#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */
/* a Sequence in a Sequence ...; real ones have one level */
#define MAX_DEPTH 4
/* charsmaps are some 320 KB, in base64 */
#define MAX_CHARSMAP_BYTES ((size_t)8 << 20)

/* The patterns of Split that are known, as the files write them. */
static const struct {
    const char *pattern;
    rag_tokens_split split;
} patterns[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
     "\\s+(?!\\S)|\\s+",
     RAG_SPLIT_GPT2},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
     " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     RAG_SPLIT_LLAMA3},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
     " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     RAG_SPLIT_QWEN2},
    {"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
     "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
     "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
     "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
     "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|"
     "\\s+(?!\\S)|\\s+",
     RAG_SPLIT_O200K},
};

rag_status rag_tokjson_unsupported(rag_error *err, const char *what,
                                   rag_str name)
{
    return rag_fail(
        err, RAG_E_UNSUPPORTED, "%s %.*s is not one this program has", what,
        (int)(name.len < 80 ? name.len : 80), name.ptr != NULL ? name.ptr : "");
}

static bool flag(const rag_json *obj, const char *key, bool def)
{
    bool v = def;

    (void)rag_json_bool(&v, rag_json_get(obj, key));
    return v;
}

/* Steps in order, Sequences taken apart; `list` is their key. */
typedef struct steps {
    const rag_json *all[RAG_TOKJSON_MAX_STEPS];
    size_t n;
} steps;

static rag_status collect(steps *s, const rag_json *step, const char *list,
                          int depth, rag_error *err)
{
    if (rag_json_is_null(step))
        return RAG_OK;
    if (rag_str_eqz(rag_json_get_str(step, "type"), "Sequence")) {
        const rag_json *in = rag_json_get(step, list);

        if (depth == MAX_DEPTH)
            return rag_fail(err, RAG_E_LIMIT, "%s: too deep", list);
        for (in = rag_json_first(in); in != NULL; in = rag_json_next(in)) {
            rag_status st = collect(s, in, list, depth + 1, err);

            if (st != RAG_OK)
                return st;
        }
        return RAG_OK;
    }
    if (s->n == RAG_TOKJSON_MAX_STEPS)
        return rag_fail(err, RAG_E_LIMIT, "%s: too many", list);
    s->all[s->n++] = step;
    return RAG_OK;
}

bool rag_tokjson_has_step(const rag_json *step, const char *list,
                          const char *type)
{
    steps s = {.n = 0};

    if (collect(&s, step, list, 0, NULL) != RAG_OK)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (rag_str_eqz(rag_json_get_str(s.all[i], "type"), type))
            return true;
    }
    return false;
}

/* ---- normalizers ------------------------------------------------------- */

static rag_status norm_room(bool there_is, rag_error *err)
{
    return there_is ? RAG_OK
                    : rag_fail(err, RAG_E_LIMIT, "too many normalizers");
}

static rag_status add_norm(rag_tokjson *t, rag_tokens_norm norm, rag_error *err)
{
    return norm_room(rag_source_norm_add(t->out, norm, false), err);
}

static rag_status bert_normalizer(rag_tokjson *t, const rag_json *n,
                                  rag_error *err)
{
    bool lower = flag(n, "lowercase", true);

    t->out->cjk_spaces = flag(n, "handle_chinese_chars", true);
    return norm_room(rag_source_norm_bert(t->out, flag(n, "clean_text", true),
                                          flag(n, "strip_accents", lower),
                                          lower),
                     err);
}

/* WordPiece: all that is done to code points one by one; *known is whether
 * this is a step of that kind. */
static rag_status word_normalizer(rag_tokjson *t, bool *known,
                                  const rag_json *n, rag_error *err)
{
    rag_str type = rag_json_get_str(n, "type");
    rag_str regex = rag_json_get_str(rag_json_get(n, "pattern"), "Regex");

    *known = true;
    if (rag_str_eqz(type, "BertNormalizer"))
        return bert_normalizer(t, n, err);
    if (rag_str_eqz(type, "Lowercase"))
        return add_norm(t, RAG_NORM_LOWER, err);
    if (rag_str_eqz(type, "StripAccents"))
        return add_norm(t, RAG_NORM_STRIP, err);
    if (rag_str_eqz(type, "NFD"))
        return add_norm(t, RAG_NORM_NFD, err);
    /* white space is a border of words in any case */
    *known = rag_str_eqz(type, "Strip") ||
             (rag_str_eqz(type, "Replace") && rag_str_eqz(regex, "\\s+") &&
              rag_str_eqz(rag_json_get_str(n, "content"), " "));
    return RAG_OK;
}

/* NFD puts the marks of a character into an order, which this cannot: they must
 * all go afterwards. */
static rag_status check_norms(rag_tokjson *t, rag_error *err)
{
    const uint8_t *norms = t->out->norms;
    bool open = false;

    for (size_t i = 0; i < RAG_NORM_MOST; i++) {
        if (norms[i] == RAG_NORM_NFD)
            open = true;
        else if (norms[i] == RAG_NORM_STRIP)
            open = false;
    }
    return open ? rag_tokjson_unsupported(err,
                                          "without StripAccents, normalizer",
                                          RAG_STR_LIT("NFD"))
                : RAG_OK;
}

static rag_status precompiled(rag_tokjson *t, const rag_json *n, rag_error *err)
{
    rag_str in = rag_json_get_str(n, "precompiled_charsmap");
    rag_buf raw;
    rag_status st;

    rag_buf_init(&raw, MAX_CHARSMAP_BYTES);
    TRY(rag_base64_decode(&raw, in, err));
    TRY(rag_buf_status(&raw, err));
    t->out->form = RAG_FORM_CHARSMAP;
    if (!rag_arena_str(t->arena, &t->out->charsmap, rag_buf_str(&raw)))
        st = rag_fail_nomem(err);
out:
    rag_buf_dispose(&raw);
    return st;
}

static rag_status replace(rag_tokjson *t, const rag_json *n, rag_error *err)
{
    const rag_json *pattern = rag_json_get(n, "pattern");
    rag_str text = rag_json_get_str(pattern, "String");
    rag_str regex = rag_json_get_str(pattern, "Regex");
    rag_str to = rag_json_get_str(n, "content");

    if (rag_str_eqz(text, " ") && rag_str_eqz(to, SPACE)) {
        t->space_mapped = true;
        return RAG_OK;
    }
    if (rag_str_eqz(regex, " {2,}") && t->out->kind == RAG_TOKENS_UNIGRAM &&
        (rag_str_eqz(to, " ") || rag_str_eqz(to, SPACE)))
        return RAG_OK; /* Unigram collapses spaces in any case */
    return rag_tokjson_unsupported(err, "normalizer Replace of",
                                   regex.len != 0 ? regex : text);
}

static rag_status form(rag_tokjson *t, rag_tokens_form f, rag_str name,
                       rag_error *err)
{
    if (t->out->form != RAG_FORM_NONE || t->out->kind == RAG_TOKENS_WORDPIECE)
        return rag_tokjson_unsupported(err, "normalizer", name);
    t->out->form = f;
    return RAG_OK;
}

static rag_status normalizer(rag_tokjson *t, const rag_json *n, rag_error *err)
{
    rag_tokens_kind kind = t->out->kind;
    bool sp = kind == RAG_TOKENS_UNIGRAM || kind == RAG_TOKENS_SP_BPE;
    rag_str type = rag_json_get_str(n, "type");

    if (kind == RAG_TOKENS_WORDPIECE) {
        bool known;
        rag_status st = word_normalizer(t, &known, n, err);

        if (st != RAG_OK || known)
            return st;
    }
    if (rag_str_eqz(type, "Precompiled") && sp && !t->space_mapped &&
        t->out->form == RAG_FORM_NONE)
        return precompiled(t, n, err);
    if (rag_str_eqz(type, "Replace") && sp)
        return replace(t, n, err);
    if (rag_str_eqz(type, "Strip") && kind == RAG_TOKENS_UNIGRAM)
        return RAG_OK; /* trims in any case */
    if (rag_str_eqz(type, "Prepend") && kind == RAG_TOKENS_SP_BPE &&
        !t->space_mapped &&
        rag_str_eqz(rag_json_get_str(n, "prepend"), SPACE)) {
        t->prepended = true;
        t->out->prefix_space = true;
        t->out->prefix_each = true;
        return RAG_OK;
    }
    if (rag_str_eqz(type, "NFC") && !t->space_mapped)
        return form(t, RAG_FORM_NFC, type, err);
    if (rag_str_eqz(type, "NFKC") && !t->space_mapped)
        return form(t, RAG_FORM_NFKC, type, err);
    return rag_tokjson_unsupported(err, "normalizer", type);
}

rag_status rag_tokjson_normalizer(rag_tokjson *t, rag_error *err)
{
    steps s = {.n = 0};
    rag_status st;

    TRY(collect(&s, rag_json_get(t->root, "normalizer"), "normalizers", 0,
                err));
    for (size_t i = 0; i < s.n; i++)
        TRY(normalizer(t, s.all[i], err));
    st = check_norms(t, err);
out:
    return st;
}

/* ---- pre-tokenizers ---------------------------------------------------- */

/* Puts a split behind those that are there. */
static rag_status add_split(rag_tokjson *t, rag_tokens_split split,
                            rag_error *err)
{
    if (t->n_splits == RAG_SPLIT_MOST)
        return rag_fail(err, RAG_E_LIMIT, "more than %u pre-tokenizers",
                        RAG_SPLIT_MOST);
    t->out->splits |= (uint32_t)split << 8 * t->n_splits++;
    return RAG_OK;
}

static rag_status byte_level(rag_tokjson *t, const rag_json *p, rag_error *err)
{
    t->byte_level = true;
    t->out->prefix_space = flag(p, "add_prefix_space", true);
    t->out->prefix_missing = true;
    t->out->prefix_each = true;
    if (t->n_splits != 0 && t->out->prefix_space)
        return rag_tokjson_unsupported(
            err, "behind another pre-tokenizer, a ByteLevel that has",
            RAG_STR_LIT("add_prefix_space"));
    if (!flag(p, "use_regex", true))
        return RAG_OK;
    return add_split(t, RAG_SPLIT_GPT2, err);
}

/* Do matches become words of their own? Removing what is between them is the
 * same, for the patterns leave nothing out. */
static bool isolates(const rag_json *p)
{
    rag_str behavior = rag_json_get_str(p, "behavior");
    bool invert = flag(p, "invert", false);

    return rag_str_eqz(behavior, invert ? "Removed" : "Isolated");
}

static rag_status split(rag_tokjson *t, const rag_json *p, rag_error *err)
{
    const rag_json *pattern = rag_json_get(p, "pattern");
    rag_str regex = rag_json_get_str(pattern, "Regex");

    if (t->out->kind == RAG_TOKENS_SP_BPE && t->space_mapped &&
        rag_str_eqz(rag_json_get_str(pattern, "String"), " "))
        return RAG_OK; /* there are no spaces any more */
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (t->out->kind == RAG_TOKENS_BYTE_BPE && !t->byte_level &&
            rag_str_eqz(regex, patterns[i].pattern) && isolates(p))
            return add_split(t, patterns[i].split, err);
    }
    return rag_tokjson_unsupported(err, "pre-tokenizer Split with the pattern",
                                   regex);
}

/* Does the model have pieces that begin with two spaces? */
static bool has_space_runs(const rag_source_tokens *s)
{
    for (uint32_t i = 0; i < s->n_pieces; i++) {
        if (rag_str_starts(s->pieces[i], SPACE SPACE))
            return true;
    }
    return false;
}

static rag_status metaspace(rag_tokjson *t, const rag_json *p, rag_error *err)
{
    rag_str scheme = rag_json_get_str(p, "prepend_scheme");
    bool prefix = flag(p, "add_prefix_space", true);

    if (!rag_str_eqz(rag_json_get_str(p, "replacement"), SPACE))
        return rag_tokjson_unsupported(err, "pre-tokenizer Metaspace with",
                                       rag_json_get_str(p, "replacement"));
    if (t->out->kind == RAG_TOKENS_SP_BPE && flag(p, "split", true) &&
        has_space_runs(t->out))
        return rag_tokjson_unsupported(err, "pre-tokenizer Metaspace with",
                                       RAG_STR_LIT("split"));
    t->space_mapped = true;
    if (scheme.len != 0)
        prefix = !rag_str_eqz(scheme, "never");
    if (t->prepended && prefix)
        return rag_tokjson_unsupported(err, "pre-tokenizer Metaspace with",
                                       RAG_STR_LIT("Prepend"));
    t->out->prefix_space = t->prepended || prefix;
    t->out->prefix_missing = !t->prepended;
    t->out->prefix_each = t->prepended || !rag_str_eqz(scheme, "first");
    return RAG_OK;
}

/* Numbers, or punctuation, by themselves. */
static rag_status bytes_apart(rag_tokjson *t, const rag_json *p, rag_str type,
                              rag_error *err)
{
    if (rag_str_eqz(type, "Digits"))
        return add_split(t,
                         flag(p, "individual_digits", false)
                             ? RAG_SPLIT_DIGITS
                             : RAG_SPLIT_DIGIT_RUNS,
                         err);
    if (!rag_str_eqz(rag_json_get_str(p, "behavior"), "Isolated"))
        return rag_tokjson_unsupported(err, "pre-tokenizer Punctuation with",
                                       rag_json_get_str(p, "behavior"));
    return add_split(t, RAG_SPLIT_PUNCTUATION, err);
}

/* The steps that cut words for WordPiece; their order does not matter. */
static bool word_step(rag_tokjson *t, const rag_json *p, rag_str type)
{
    if (rag_str_eqz(type, "BertPreTokenizer")) {
        t->words = true;
        t->out->join_punctuation = false;
    } else if (rag_str_eqz(type, "WhitespaceSplit")) {
        t->words = true;
    } else if (rag_str_eqz(type, "Punctuation") &&
               rag_str_eqz(rag_json_get_str(p, "behavior"), "Isolated")) {
        t->out->join_punctuation = false;
    } else if (rag_str_eqz(type, "Digits") &&
               flag(p, "individual_digits", false)) {
        t->out->digits_apart = true;
    } else {
        return false;
    }
    return true;
}

static rag_status pre_tokenizer(rag_tokjson *t, const rag_json *p,
                                rag_error *err)
{
    rag_tokens_kind kind = t->out->kind;
    rag_str type = rag_json_get_str(p, "type");

    if (kind == RAG_TOKENS_WORDPIECE && word_step(t, p, type))
        return RAG_OK;
    if (rag_str_eqz(type, "WhitespaceSplit") && kind == RAG_TOKENS_UNIGRAM)
        return RAG_OK; /* it collapses spaces in any case */
    if ((rag_str_eqz(type, "Digits") || rag_str_eqz(type, "Punctuation")) &&
        kind == RAG_TOKENS_BYTE_BPE && !t->byte_level)
        return bytes_apart(t, p, type, err);
    if (rag_str_eqz(type, "Metaspace") &&
        (kind == RAG_TOKENS_UNIGRAM || kind == RAG_TOKENS_SP_BPE))
        return metaspace(t, p, err);
    if (rag_str_eqz(type, "ByteLevel") && kind == RAG_TOKENS_BYTE_BPE &&
        !t->byte_level)
        return byte_level(t, p, err);
    if (rag_str_eqz(type, "Split"))
        return split(t, p, err);
    return rag_tokjson_unsupported(err, "pre-tokenizer", type);
}

rag_status rag_tokjson_pre_tokenizer(rag_tokjson *t, rag_error *err)
{
    steps s = {.n = 0};
    rag_status st;

    TRY(collect(&s, rag_json_get(t->root, "pre_tokenizer"), "pretokenizers", 0,
                err));
    t->out->join_punctuation = t->out->kind == RAG_TOKENS_WORDPIECE;
    for (size_t i = 0; i < s.n; i++)
        TRY(pre_tokenizer(t, s.all[i], err));
    if (t->out->kind == RAG_TOKENS_WORDPIECE && !t->words)
        st = rag_fail(err, RAG_E_UNSUPPORTED,
                      "WordPiece without BertPreTokenizer or WhitespaceSplit");
    if ((t->out->kind == RAG_TOKENS_SP_BPE ||
         t->out->kind == RAG_TOKENS_UNIGRAM) &&
        !t->space_mapped)
        st = rag_fail(err, RAG_E_UNSUPPORTED,
                      "a model of pieces with U+2581, but nothing that makes "
                      "it of spaces");
out:
    return st;
}

/* ---- post-processors --------------------------------------------------- */

static rag_status take_id(int32_t *out, const rag_source_tokens *s,
                          const rag_json *id, rag_error *err)
{
    int64_t v;

    if (!rag_json_i64(&v, id) || v < 0 || v >= (int64_t)s->n_pieces)
        return rag_fail(err, RAG_E_FORMAT,
                        "post_processor: a token outside the vocabulary");
    *out = (int32_t)v;
    return RAG_OK;
}

/* ["[SEP]", 102] */
static rag_status pair_id(int32_t *out, const rag_source_tokens *s,
                          const rag_json *pair, rag_error *err)
{
    return take_id(out, s, rag_json_next(rag_json_first(pair)), err);
}

/* The id of {"SpecialToken": {"id": NAME}}. */
static rag_status special_id(int32_t *out, const rag_tokjson *t,
                             const rag_json *p, const rag_json *item,
                             rag_error *err)
{
    rag_str name = rag_json_get_str(rag_json_get(item, "SpecialToken"), "id");
    const rag_json *tokens = rag_json_get(p, "special_tokens");

    for (tokens = rag_json_first(tokens); tokens != NULL;
         tokens = rag_json_next(tokens)) {
        const rag_json *ids = rag_json_get(tokens, "ids");

        if (!rag_str_eq(rag_json_key(tokens), name))
            continue;
        if (rag_json_count(ids) != 1)
            break;
        return take_id(out, t->out, rag_json_first(ids), err);
    }
    return rag_tokjson_unsupported(err, "post-processor's token", name);
}

static rag_status template_single(rag_tokjson *t, const rag_json *p,
                                  rag_error *err)
{
    const rag_json *item = rag_json_first(rag_json_get(p, "single"));
    bool text = false;

    for (; item != NULL; item = rag_json_next(item)) {
        int32_t *to = text ? &t->out->eos : &t->out->bos;
        rag_status st;

        if (rag_json_get(item, "Sequence") != NULL && !text) {
            text = true;
            continue;
        }
        if (rag_json_get(item, "SpecialToken") == NULL || *to >= 0)
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "a post-processor with more than one token at a "
                            "side of the text");
        st = special_id(to, t, p, item, err);
        if (st != RAG_OK)
            return st;
    }
    return RAG_OK;
}

/* Two tokens between the texts of a pair? */
static bool is_double(const rag_json *p)
{
    const rag_json *item = rag_json_first(rag_json_get(p, "pair"));
    int texts = 0;
    int between = 0;

    for (; item != NULL; item = rag_json_next(item)) {
        if (rag_json_get(item, "Sequence") != NULL)
            texts++;
        else if (texts == 1)
            between++;
    }
    return between == 2;
}

static rag_status post_processor(rag_tokjson *t, const rag_json *p,
                                 rag_error *err)
{
    rag_str type = rag_json_get_str(p, "type");
    rag_status st;

    if (rag_str_eqz(type, "ByteLevel"))
        return RAG_OK;
    if (t->out->bos >= 0 || t->out->eos >= 0)
        return rag_tokjson_unsupported(err, "a second post-processor", type);
    if (rag_str_eqz(type, "BertProcessing") ||
        rag_str_eqz(type, "RobertaProcessing")) {
        TRY(pair_id(&t->out->bos, t->out, rag_json_get(p, "cls"), err));
        TRY(pair_id(&t->out->eos, t->out, rag_json_get(p, "sep"), err));
        t->out->pair_double_eos = rag_str_eqz(type, "RobertaProcessing");
        return RAG_OK;
    }
    if (!rag_str_eqz(type, "TemplateProcessing"))
        return rag_tokjson_unsupported(err, "post-processor", type);
    TRY(template_single(t, p, err));
    t->out->pair_double_eos = is_double(p);
out:
    return st;
}

rag_status rag_tokjson_post_processor(rag_tokjson *t, rag_error *err)
{
    steps s = {.n = 0};
    rag_status st;

    t->out->bos = -1;
    t->out->eos = -1;
    TRY(collect(&s, rag_json_get(t->root, "post_processor"), "processors", 0,
                err));
    for (size_t i = 0; i < s.n; i++)
        TRY(post_processor(t, s.all[i], err));
out:
    return st;
}

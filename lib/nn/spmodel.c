#include "nn/spmodel.h"

#include <string.h>

#include "base/utf8.h"
#include "nn/pbwire.h"
#include "nn/tokens.h"

/* pieces that fairseq puts in front */
#define IN_FRONT 4u

/* Field numbers of sentencepiece_model.proto. */
enum { MODEL_PIECE = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_KIND = 3, TRAINER_SUFFIX = 24, TRAINER_BYTES = 35 };
enum { NORM_CHARSMAP = 2, NORM_PREFIX = 3, NORM_COLLAPSE = 4, NORM_ESCAPE = 5 };

/* What the file says, its own numbers. */
enum { KIND_UNIGRAM = 1, KIND_BPE = 2 };
enum {
    TYPE_NORMAL = 1,
    TYPE_UNKNOWN,
    TYPE_CONTROL,
    TYPE_USER,
    TYPE_UNUSED,
    TYPE_BYTE
};

typedef struct piece {
    rag_str text;
    float score;
    uint64_t type;
} piece;

static rag_status malformed(rag_error *err)
{
    return rag_fail(err, RAG_E_FORMAT, "not a SentencePiece model");
}

static rag_status read_piece(piece *p, rag_str message, rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(message);
    rag_pbwire_field f;

    *p = (piece){.type = TYPE_NORMAL};
    while (rag_pbwire_next(&f, &r)) {
        if (f.no == PIECE_TEXT && f.is_bytes) {
            p->text = f.bytes;
        } else if (f.no == PIECE_SCORE && !f.is_bytes) {
            uint32_t bits = (uint32_t)f.value;

            memcpy(&p->score, &bits, sizeof bits);
        } else if (f.no == PIECE_TYPE && !f.is_bytes) {
            p->type = f.value;
        }
    }
    if (r.bad || p->text.len == 0 || !rag_utf8_valid(p->text) ||
        p->type < TYPE_NORMAL || p->type > TYPE_BYTE)
        return malformed(err);
    return RAG_OK;
}

static uint8_t type_of(uint64_t type)
{
    switch (type) {
    case TYPE_NORMAL:
        return RAG_PIECE_NORMAL;
    case TYPE_USER:
        return RAG_PIECE_USER;
    case TYPE_BYTE:
        return RAG_PIECE_BYTE;
    case TYPE_UNUSED:
        return RAG_PIECE_UNUSED;
    default: /* unknown, control */
        return RAG_PIECE_SPECIAL;
    }
}

/* The trainer's settings that matter. */
static rag_status read_trainer(rag_source_tokens *s, rag_str message,
                               rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(message);
    uint64_t kind = KIND_UNIGRAM;
    rag_pbwire_field f;

    while (rag_pbwire_next(&f, &r)) {
        if (f.is_bytes)
            continue;
        if (f.no == TRAINER_KIND)
            kind = f.value;
        else if (f.no == TRAINER_BYTES)
            s->byte_fallback = f.value != 0;
        else if (f.no == TRAINER_SUFFIX && f.value != 0)
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "treat_whitespace_as_suffix is not supported");
    }
    if (r.bad)
        return malformed(err);
    if (kind != KIND_UNIGRAM && kind != KIND_BPE)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "a SentencePiece model of words or characters is not "
                        "supported");
    s->kind = kind == KIND_UNIGRAM ? RAG_TOKENS_UNIGRAM : RAG_TOKENS_SP_BPE;
    return RAG_OK;
}

static rag_status read_normalizer(rag_source_tokens *s, rag_arena *a,
                                  rag_str message, rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(message);
    rag_pbwire_field f;

    while (rag_pbwire_next(&f, &r)) {
        if (f.no == NORM_CHARSMAP && f.is_bytes) {
            s->form = f.bytes.len != 0 ? RAG_FORM_CHARSMAP : RAG_FORM_NONE;
            if (!rag_arena_str(a, &s->charsmap, f.bytes))
                return rag_fail_nomem(err);
        } else if (f.no == NORM_PREFIX && !f.is_bytes) {
            s->prefix_space = f.value != 0;
        } else if (f.no == NORM_COLLAPSE && !f.is_bytes) {
            s->collapse_spaces = f.value != 0;
        } else if (f.no == NORM_ESCAPE && !f.is_bytes && f.value == 0) {
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "spaces that stay spaces (escape_whitespaces) are "
                            "not supported");
        }
    }
    return r.bad ? malformed(err) : RAG_OK;
}

/* The settings, and how many pieces there are. */
static rag_status read_settings(rag_source_tokens *s, uint32_t *n, rag_arena *a,
                                rag_str file, rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(file);
    rag_pbwire_field f;
    rag_status st = RAG_OK;

    s->kind = RAG_TOKENS_UNIGRAM;
    s->prefix_space = true;
    s->collapse_spaces = true;
    *n = 0;
    while (rag_pbwire_next(&f, &r)) {
        if (!f.is_bytes)
            continue;
        if (f.no == MODEL_PIECE && ++*n >= RAG_TOKENS_MAX_PIECES - IN_FRONT)
            return rag_fail(err, RAG_E_LIMIT, "more than %u pieces",
                            RAG_TOKENS_MAX_PIECES - IN_FRONT);
        if (f.no == MODEL_TRAINER)
            TRY(read_trainer(s, f.bytes, err));
        if (f.no == MODEL_NORMALIZER)
            TRY(read_normalizer(s, a, f.bytes, err));
    }
    if (r.bad || *n == 0)
        st = malformed(err);
out:
    return st;
}

/* Piece i of the file goes to id i + offset. */
static rag_status add_piece(rag_source_tokens *s, rag_arena *a,
                            const piece *from, uint32_t i, uint32_t offset,
                            rag_error *err)
{
    uint32_t id = i + offset;

    if (from->type == TYPE_UNUSED && s->kind == RAG_TOKENS_SP_BPE)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "piece %u: BPE with unused pieces is not supported", i);
    if (from->type == TYPE_USER &&
        rag_str_find(from->text, RAG_STR_LIT("\xE2\x96\x81")) != SIZE_MAX)
        return rag_fail(err, RAG_E_UNSUPPORTED,
                        "piece %u: a piece of the user's with a space in it "
                        "is not supported",
                        i);
    if (!rag_arena_str(a, &s->pieces[id], from->text))
        return rag_fail_nomem(err);
    s->scores[id] = from->score;
    s->types[id] = type_of(from->type);
    if (from->type == TYPE_UNKNOWN && s->unk < 0)
        s->unk = (int32_t)id;
    if (from->type != TYPE_CONTROL)
        return RAG_OK;
    if (rag_str_eqz(from->text, "<s>") || rag_str_eqz(from->text, "<bos>"))
        s->bos = (int32_t)id;
    else if (rag_str_eqz(from->text, "</s>") ||
             rag_str_eqz(from->text, "<eos>"))
        s->eos = (int32_t)id;
    else if (rag_str_eqz(from->text, "<pad>"))
        s->pad = (int32_t)id;
    return RAG_OK;
}

static bool make_room(rag_source_tokens *s, rag_arena *a, uint32_t n)
{
    s->n_pieces = n;
    s->pieces = rag_arena_array(a, n, sizeof *s->pieces);
    s->scores = rag_arena_array(a, n, sizeof *s->scores);
    s->types = rag_arena_array(a, n, sizeof *s->types);
    if (s->pieces == NULL || s->scores == NULL || s->types == NULL)
        return false;
    memset(s->types, RAG_PIECE_UNUSED, n);
    return true;
}

static rag_status add_pieces(rag_source_tokens *s, rag_arena *a, rag_str file,
                             uint32_t skip, uint32_t offset, rag_error *err)
{
    rag_pbwire r = rag_pbwire_of(file);
    rag_pbwire_field f;
    uint32_t i = 0;
    rag_status st = RAG_OK;

    while (rag_pbwire_next(&f, &r)) {
        piece p;

        if (f.no != MODEL_PIECE || !f.is_bytes)
            continue;
        TRY(read_piece(&p, f.bytes, err));
        if (i >= skip)
            TRY(add_piece(s, a, &p, i, offset, err));
        else if (p.type != TYPE_UNKNOWN && p.type != TYPE_CONTROL)
            return rag_fail(err, RAG_E_UNSUPPORTED,
                            "piece %u is none of <unk>, <s>, </s>, as the "
                            "model's tokenizer expects it",
                            i);
        i++;
    }
out:
    return st;
}

/* fairseq's own pieces, in front and behind. */
static void number_fairseq(rag_source_tokens *s, rag_spmodel numbering)
{
    static const char *const front[IN_FRONT] = {"<s>", "<pad>", "</s>",
                                                "<unk>"};
    static const char *const unused[IN_FRONT] = {"<s>NOTUSED", "<pad>",
                                                 "</s>NOTUSED", "<unk>"};
    bool xlmr = numbering == RAG_SPMODEL_XLMR;

    for (uint32_t i = 0; i < IN_FRONT; i++) {
        s->pieces[i] = rag_str_of(xlmr ? front[i] : unused[i]);
        s->types[i] = RAG_PIECE_SPECIAL;
    }
    s->pieces[s->n_pieces - 1] = RAG_STR_LIT("<mask>");
    s->types[s->n_pieces - 1] = RAG_PIECE_SPECIAL;
    if (xlmr) {
        s->bos = 0;
        s->eos = 2;
    }
    s->pad = 1;
    s->unk = 3;
    s->pair_double_eos = true;
}

rag_status rag_spmodel_read(rag_source_tokens *out, rag_arena *a, rag_str file,
                            rag_spmodel numbering, rag_error *err)
{
    bool xlmr = numbering == RAG_SPMODEL_XLMR;
    uint32_t offset = 0;
    uint32_t n;
    rag_status st;

    memset(out, 0, sizeof *out);
    out->bos = out->eos = out->pad = out->unk = -1;
    if (file.len > RAG_SPMODEL_MAX_BYTES)
        return rag_fail(err, RAG_E_LIMIT, "%zu bytes, at most %zu", file.len,
                        RAG_SPMODEL_MAX_BYTES);
    TRY(read_settings(out, &n, a, file, err));
    if (numbering != RAG_SPMODEL_PLAIN)
        offset = xlmr ? 1 : IN_FRONT;
    if (xlmr && n < IN_FRONT)
        return malformed(err);
    if (!make_room(out, a, n + offset + (offset != 0 ? 1 : 0)))
        return rag_fail_nomem(err);
    TRY(add_pieces(out, a, file, xlmr ? IN_FRONT - 1 : 0, offset, err));
    if (numbering != RAG_SPMODEL_PLAIN)
        number_fairseq(out, numbering);
    if (out->unk < 0 ||
        (numbering == RAG_SPMODEL_CAMEMBERT && (out->bos < 0 || out->eos < 0)))
        return rag_fail(err, RAG_E_FORMAT, "no <unk>, <s> or </s>");
out:
    return st;
}

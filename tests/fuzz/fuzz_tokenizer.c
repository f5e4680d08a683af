/* A tokenizer's block of bytes with damage, and text. The first byte chooses
 * one of five small tokenizers, the second how many places of the block are
 * changed: four bytes each tell where, and to what. The rest is text. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/tokens_blob.h"
#include "nn/tokjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KINDS 5u
#define MAX_TEXT ((size_t)1 << 16)

#define SPACE "\xE2\x96\x81"
static const char *const files[KINDS] = {
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"added_tokens\":[{\"id\":6,\"content\":\"a-b\"}],"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
    "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"[UNK]\":0,\"a\":1,"
    "\"##a\":2,\"##b\":3,\"ab\":4,\"!\":5}}}",
    "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\"},"
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],"
    "[\"" SPACE "\",-2],[\"a\",-3],[\"" SPACE "ab\",-4],[\"b\",-3],"
    "[\"ba\",-3.5]]}}",
    "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
    "\"content\":\"" SPACE
    "\"},\"added_tokens\":[{\"id\":7,\"content\":\"!!\"}],"
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,"
    "\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"ab\":3,\"" SPACE "\":4,"
    "\"" SPACE "ab\":5,\"abab\":6},\"merges\":[\"a b\",\"" SPACE " ab\","
    "\"ab ab\"]}}",
    NULL, /* byte-level: made below */
    NULL, /* the same with the pattern of Llama 3, NFC and pieces of its own */
};

static rag_buf blobs[KINDS];

/* A vocabulary of all bytes in GPT-2's letters. */
static void add_bytes(rag_buf *out)
{
    unsigned other = 256;

    for (unsigned b = 0; b < 256; b++) {
        bool itself =
            (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;

        rag_buf_addf(out, "%s\"\\u%04x\":%u", b == 0 ? "" : ",",
                     itself ? b : other++, b);
    }
}

static void byte_level(rag_buf *out, bool llama)
{
    rag_buf_addz(out, "{\"pre_tokenizer\":{\"type\":\"Sequence\","
                      "\"pretokenizers\":[");
    if (llama)
        rag_buf_addz(
            out, "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{"
                 "\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}"
                 "\\\\p{"
                 "N}]?\\\\p{L}+|\\\\p{N}{1,3}| "
                 "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*"
                 "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}},");
    rag_buf_addf(out,
                 "{\"type\":\"ByteLevel\",\"use_regex\":%s,"
                 "\"add_prefix_space\":%s}]},",
                 llama ? "false" : "true", llama ? "false" : "true");
    if (llama)
        rag_buf_addz(out, "\"normalizer\":{\"type\":\"NFC\"},"
                          "\"added_tokens\":[{\"id\":260,\"content\":\"  \","
                          "\"normalized\":true}],");
    rag_buf_addf(out,
                 "\"model\":{\"type\":\"BPE\",\"ignore_merges\":%s,"
                 "\"vocab\":{",
                 llama ? "true" : "false");
    add_bytes(out);
    rag_buf_addz(out, ",\"ab\":256,\"abab\":257,\"ba\":258,\"aa\":259},"
                      "\"merges\":[\"a b\",\"ab ab\",\"b a\",\"a a\"]}}");
}

static void build_all(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        rag_source_tokens s;
        rag_arena a;
        rag_buf json;
        rag_error err;

        rag_arena_init(&a);
        rag_buf_init(&json, 1 << 20);
        rag_buf_init(&blobs[i], 1 << 24);
        if (files[i] != NULL)
            rag_buf_addz(&json, files[i]);
        else
            byte_level(&json, i == KINDS - 1);
        if (rag_tokjson_read(&s, &a, rag_buf_str(&json), &err) != RAG_OK ||
            rag_tokens_build(&blobs[i], &s, &err) != RAG_OK)
            abort();
        rag_buf_dispose(&json);
        rag_arena_dispose(&a);
    }
}

/* Changes the block; returns how many bytes of data told how. */
static size_t damage(char *blob, size_t n, const uint8_t *data, size_t size)
{
    size_t count = size > 1 ? data[1] % 16u : 0;
    size_t at = 2;

    for (; count != 0 && at + 4 <= size; count--, at += 4) {
        size_t place = (size_t)data[at] | (size_t)data[at + 1] << 8 |
                       (size_t)data[at + 2] << 16;

        /* half of them in the head */
        blob[place % ((place & 1) != 0 ? 304 : n)] = (char)data[at + 3];
    }
    return at < size ? at : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_tokens_model model;
    rag_tokens t;
    rag_error err;
    rag_str text;
    size_t used;
    char *blob;
    size_t n;

    if (size == 0)
        return 0;
    if (blobs[0].len == 0)
        build_all();
    n = blobs[data[0] % KINDS].len;
    blob = rag_malloc(n); /* of its own, so that every step outside is seen */
    if (blob == NULL)
        return 0;
    memcpy(blob, blobs[data[0] % KINDS].ptr, n);
    used = damage(blob, n, data, size);
    text = rag_str_n((const char *)data + used,
                     size - used < MAX_TEXT ? size - used : MAX_TEXT);
    if (rag_tokens_model_open(&model, rag_str_n(blob, n), &err) == RAG_OK) {
        rag_tokens_init(&t, &model);
        if (rag_tokens_encode(&t, text, &err) == RAG_OK) {
            for (size_t i = 0; i < t.n_ids; i++) {
                if (t.ids[i] < 0 || (uint32_t)t.ids[i] >= model.n_pieces)
                    abort();
            }
        }
        rag_tokens_dispose(&t);
    } else if (err.msg[0] == '\0') {
        abort();
    }
    rag_free(blob);
    return 0;
}

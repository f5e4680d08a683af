#include "doc/sniff.h"

#include <string.h>

#include "doc/charset.h"

/* readers of PDF files look this far for the mark */
#define PDF_MARK_WITHIN ((size_t)1024)

typedef struct magic {
    size_t at;
    const char *bytes;
    size_t len;
    const char *name;
} magic;

#define MAGIC(at, lit, name)                                                   \
    {                                                                          \
        at, lit, sizeof(lit) - 1, name                                         \
    }

static const magic magics[] = {
    MAGIC(0, "PK\x03\x04", "a zip archive"),
    MAGIC(0, "PK\x05\x06", "an empty zip archive"),
    MAGIC(0, "PK\x07\x08", "a part of a zip archive"),
    MAGIC(0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
          "an old Office document (doc, xls, ppt, hwp, msg)"),
    MAGIC(0, "HWP Document File", "an old HWP document"),
    MAGIC(0, "{\\rtf", "an RTF document"),
    MAGIC(0, "\x1F\x8B", "gzip data"),
    MAGIC(0, "BZh", "bzip2 data"),
    MAGIC(0,
          "\xFD"
          "7zXZ",
          "xz data"),
    MAGIC(0, "\x28\xB5\x2F\xFD", "zstd data"),
    MAGIC(0, "7z\xBC\xAF\x27\x1C", "a 7z archive"),
    MAGIC(0, "Rar!\x1A\x07", "a rar archive"),
    MAGIC(257, "ustar", "a tar archive"),
    MAGIC(0, "!<arch>\n", "an ar archive"),
    MAGIC(0, "\x89PNG\r\n\x1A\n", "a PNG image"),
    MAGIC(0, "\xFF\xD8\xFF", "a JPEG image"),
    MAGIC(0, "GIF87a", "a GIF image"),
    MAGIC(0, "GIF89a", "a GIF image"),
    MAGIC(0, "II*\0", "a TIFF image"),
    MAGIC(0, "MM\0*", "a TIFF image"),
    MAGIC(8, "WEBP", "a WebP image"),
    MAGIC(8, "WAVE", "a WAV sound"),
    MAGIC(8, "AVI ", "an AVI film"),
    MAGIC(4, "ftyp", "an MP4, HEIC or AVIF file"),
    MAGIC(0, "\0\0\1\0", "an icon"),
    MAGIC(0, "\x1A\x45\xDF\xA3", "a Matroska or WebM file"),
    MAGIC(0, "ID3", "an MP3 sound"),
    MAGIC(0, "\xFF\xFB", "an MP3 sound"),
    MAGIC(0, "OggS", "an Ogg file"),
    MAGIC(0, "fLaC", "a FLAC sound"),
    MAGIC(0,
          "\x7F"
          "ELF",
          "an ELF program or library"),
    MAGIC(0, "\xCF\xFA\xED\xFE", "a Mach-O program"),
    MAGIC(0, "\xCA\xFE\xBA\xBE", "a Java class or Mach-O program"),
    MAGIC(0, "\0asm", "a WebAssembly module"),
    MAGIC(0, "SQLite format 3\0", "an SQLite database"),
    MAGIC(0, "wOFF", "a font"),
    MAGIC(0, "wOF2", "a font"),
    MAGIC(0, "OTTO\0", "a font"),
    MAGIC(0, "\0\1\0\0\0", "a font"),
    MAGIC(0, "PAR1", "a Parquet file"),
    MAGIC(0, "\x89HDF\r\n\x1A\n", "an HDF5 file"),
    MAGIC(0, "GGUF", "a GGUF model"),
    MAGIC(0, "\x93NUMPY", "a NumPy array"),
};

/* Kinds of zip files and of the old Office container, by their suffix: the
 * bytes alone do not tell them apart without unpacking. */
static const struct {
    const char *suffix;
    const char *name;
} packed[] = {
    {".docx", "a docx document"},   {".xlsx", "an xlsx workbook"},
    {".pptx", "a pptx slide deck"}, {".odt", "an odt document"},
    {".ods", "an ods workbook"},    {".odp", "an odp slide deck"},
    {".epub", "an epub book"},      {".hwpx", "an hwpx document"},
    {".doc", "a doc document"},     {".xls", "an xls workbook"},
    {".ppt", "a ppt slide deck"},   {".hwp", "an hwp document"},
    {".msg", "an Outlook message"}, {".jar", "a Java archive"},
    {".whl", "a Python wheel"},     {".apk", "an Android package"},
};

/* Several marks are also how a text may begin ("BZh", "ID3"): where the bytes
 * are text, only marks that hold a byte no text has count. RTF is text, but
 * nothing that anybody wants to read. */
static bool mark_counts(const magic *m, const rag_source *src)
{
    for (size_t i = 0; i < m->len; i++)
        if ((unsigned char)m->bytes[i] < 9)
            return true;
    return strncmp(m->bytes, "{\\rtf", 5) == 0 ||
           strncmp(m->bytes, "HWP Doc", 7) == 0 ||
           !rag_charset_is_text(src->head);
}

static const char *magic_of(const rag_source *src)
{
    rag_str h = src->head;

    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const magic *m = &magics[i];

        if (h.len >= m->at + m->len &&
            memcmp(h.ptr + m->at, m->bytes, m->len) == 0 && mark_counts(m, src))
            return m->name;
    }
    return NULL;
}

const char *rag_sniff_foreign(const rag_source *src)
{
    const char *name = magic_of(src);

    if (name == NULL ||
        (strstr(name, "zip") == NULL && strstr(name, "Office") == NULL))
        return name;
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++)
        if (rag_str_iends(rag_str_of(src->name), packed[i].suffix))
            return packed[i].name;
    return name;
}

bool rag_sniff_pdf(const rag_source *src)
{
    static const char *const suffixes[] = {".pdf", NULL};
    size_t at = rag_str_find(rag_str_cut(src->head, 0, PDF_MARK_WITHIN),
                             RAG_STR_LIT("%PDF-"));

    /* a broken file that is named so: reading it says what is wrong */
    if (at == SIZE_MAX)
        return rag_source_suffix(src, suffixes) &&
               !rag_charset_is_text(src->head);
    return at == 0 || rag_source_suffix(src, suffixes) ||
           !rag_charset_is_text(src->head);
}

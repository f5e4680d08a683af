#include "base/stem.h"

#include <limits.h>

#ifndef RAG_STEM_ENGLISH
#include <libstemmer.h>

rag_stem *rag_stem_new(void)
{
    return (rag_stem *)sb_stemmer_new("english", "UTF_8");
}

void rag_stem_free(rag_stem *s)
{
    if (s != NULL)
        sb_stemmer_delete((struct sb_stemmer *)s);
}

rag_str rag_stem_of(rag_stem *s, rag_str word)
{
    struct sb_stemmer *sb = (struct sb_stemmer *)s;
    const sb_symbol *stem;

    if (word.len > INT_MAX)
        return word;
    stem = sb_stemmer_stem(sb, (const sb_symbol *)word.ptr, (int)word.len);
    return rag_str_n((const char *)stem,
                     stem != NULL ? (size_t)sb_stemmer_length(sb) : 0);
}

#else

/* libstemmer's own functions draw in every language it knows: 340 KB of tables
 * that the dynamic linker fills at each start of the program, 0.2 ms. English
 * alone is in what Snowball's compiler made of english.sbl; the header of that
 * is not installed. CMake has tried that it works like this. */
struct SN_env {
    unsigned char *p; /* the word, then its stem */
    int c;
    int l; /* its length */
};

extern struct SN_env *english_UTF_8_create_env(void);
extern void english_UTF_8_close_env(struct SN_env *z);
extern int english_UTF_8_stem(struct SN_env *z);
extern int SN_set_current(struct SN_env *z, int size, const unsigned char *s);

rag_stem *rag_stem_new(void)
{
    return (rag_stem *)english_UTF_8_create_env();
}

void rag_stem_free(rag_stem *s)
{
    if (s != NULL)
        english_UTF_8_close_env((struct SN_env *)s);
}

rag_str rag_stem_of(rag_stem *s, rag_str word)
{
    struct SN_env *z = (struct SN_env *)s;

    if (word.len > INT_MAX)
        return word;
    if (SN_set_current(z, (int)word.len, (const unsigned char *)word.ptr) !=
            0 ||
        english_UTF_8_stem(z) < 0 || z->l < 0)
        return rag_str_n(NULL, 0);
    return rag_str_n((const char *)z->p, (size_t)z->l);
}

#endif

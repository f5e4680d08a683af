#ifndef RAG_CLI_SETTINGS_PRIV_H
#define RAG_CLI_SETTINGS_PRIV_H

/* What the files of the settings share: settings.c has the table and where each
 * value comes from, settings_file.c the files, settings_config.c what the
 * library is told. */

#include "settings.h"

#include "base/arena.h"

/* Rows that the table may have. */
#define SETTINGS_MAX 32

struct settings {
    rag_arena arena;
    const char *value[SETTINGS_MAX];
    const char *origin[SETTINGS_MAX];
    bool from_flag[SETTINGS_MAX];
    const char *untrusted;
    const char *home;
    const char *cwd;
    const char *config_dir; /* the user's, NULL without HOME */
    const char *data_dir;
    const char *state_dir;
    const char *cache_dir;
    const char *store; /* NULL: see no_store */
    const char *no_store;
    const char *store_origin;
    bool shared_default;
    const char *user_file;
    const char *project_file;
};

/* ---- settings.c --------------------------------------------------------- */

/* Text in the settings' arena; NULL: no memory. */
const char *settings_textf(settings *s, const char *fmt, ...) RAG_PRINTF(2, 3);
/* Of the environment; NULL also when it is empty. */
const char *settings_variable(const char *name);
/* The variable of the provider's own tools that says where it lives; *url: its
 * value. NULL when there is none. */
const char *settings_fallback(const char **url, const char *model);
/* Is this a value of row i? RAG_E_INVAL says what is wrong with it. */
RAG_NODISCARD rag_status settings_check(size_t i, const char *value,
                                        const char *origin, rag_error *err);
/* Checks and sets row i. value is copied, origin borrowed. */
RAG_NODISCARD rag_status settings_put(settings *s, size_t i, const char *value,
                                      const char *origin, rag_error *err);

/* ---- settings_file.c ---------------------------------------------------- */

/* Takes over what the file says; nothing when it is not there. project: only
 * what is safe, unless the user trusts it. */
RAG_NODISCARD rag_status settings_read_file(settings *s, const char *path,
                                            bool project, rag_error *err);

#endif /* RAG_CLI_SETTINGS_PRIV_H */

#ifndef RAG_CLI_SETTINGS_H
#define RAG_CLI_SETTINGS_H

/*
 * settings — one table gives every setting's name, default, variable and help;
 * values come from flags > environment > project file (`.rag/config`) > user
 * file (`$XDG_CONFIG_HOME/rag/config`) > built-in.
 *
 * A project file comes with somebody's folder: only the settings marked safe
 * count in it until the user has said `rag config trust` (remembered by real
 * path and content hash in the user's state folder).
 *
 * Owns:    settings, from settings_load() to settings_free().
 * Errors:  RAG_E_INVAL names file, line and setting.
 */

#include "rag.h"

typedef enum setting_kind {
    SET_STR,
    SET_SIZE,  /* a whole number */
    SET_COUNT, /* a whole number from 1 on */
    SET_NUM,
    SET_BOOL
} setting_kind;

typedef struct setting {
    const char *name; /* "embed.model" */
    const char *env;  /* "RAG_EMBED_MODEL" */
    setting_kind kind;
    const char *def; /* NULL: not set */
    bool safe;       /* counts in a project file nobody trusted */
    const char *help;
} setting;

extern const setting settings_table[];
extern const size_t settings_count;

typedef struct settings settings;

/* store_flag: --store or NULL. Finds the store and reads the files; *out is
 * never NULL on success. */
RAG_NODISCARD rag_status settings_load(settings **out, const char *store_flag,
                                       rag_error *err);
void settings_free(settings *s);

/* A flag's value; borrowed. */
RAG_NODISCARD rag_status settings_flag(settings *s, const char *name,
                                       const char *value, rag_error *err);

/* Its place in the table; settings_count: there is none. */
size_t settings_find(const char *name);
/* A SET_BOOL's value. */
bool settings_truth(const char *value);

/* By name; NULL also when it is empty. */
const char *settings_value(const settings *s, const char *name);
const char *settings_get(const settings *s, size_t i); /* NULL: not set */
/* "flag", "environment RAG_X", "/path/config:3", "default", "OLLAMA_HOST" */
const char *settings_origin(const settings *s, size_t i);
/* Settings of an untrusted project file that were left out, or NULL. */
const char *settings_untrusted(const settings *s);

/* NULL: there is none to be had, settings_no_store() says why. */
const char *settings_store(const settings *s); /* folder */
const char *settings_no_store(const settings *s);
const char *settings_store_origin(const settings *s);
bool settings_store_is_shared_default(const settings *s);
const char *settings_user_file(const settings *s);    /* NULL: no HOME */
const char *settings_project_file(const settings *s); /* NULL: none */

/* Everything for the library; strings borrowed from s. Keys are read from the
 * variables that the settings name. */
RAG_NODISCARD rag_status settings_config(rag_config *out, const settings *s,
                                         rag_error *err);

/* Writes NAME = VALUE to the user's file (value NULL: takes it out). */
RAG_NODISCARD rag_status settings_write(const settings *s, const char *name,
                                        const char *value, rag_error *err);
/* Remembers the project file as it is now. */
RAG_NODISCARD rag_status settings_trust(const settings *s, rag_error *err);

#endif /* RAG_CLI_SETTINGS_H */

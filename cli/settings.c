#include "settings_priv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

const setting settings_table[] = {
    {"embed.model", "RAG_EMBED_MODEL", SET_STR, NULL, true,
     "builtin:NAME, openai:NAME, ollama:NAME or none (default: the built-in "
     "model, once one was added)"},
    {"embed.url", "RAG_EMBED_URL", SET_STR, NULL, false,
     "base URL of the embedding server (…/v1, or Ollama's root)"},
    {"embed.key_env", "RAG_EMBED_KEY_ENV", SET_STR, NULL, false,
     "name of the variable that holds its key"},
    {"embed.query_prefix", "RAG_EMBED_QUERY_PREFIX", SET_STR, NULL, false,
     "put before questions, for remote models that want it"},
    {"embed.passage_prefix", "RAG_EMBED_PASSAGE_PREFIX", SET_STR, NULL, false,
     "put before passages, likewise"},
    {"embed.batch", "RAG_EMBED_BATCH", SET_COUNT, "64", false,
     "texts in one request"},
    {"embed.in_flight", "RAG_EMBED_IN_FLIGHT", SET_COUNT, "4", false,
     "requests at once"},
    {"embed.price_per_mtok", "RAG_EMBED_PRICE_PER_MTOK", SET_NUM, "-1", false,
     "what a million tokens cost, for --dry-run; -1: not known"},
    {"chat.model", "RAG_CHAT_MODEL", SET_STR, "none", false,
     "openai:NAME, ollama:NAME or none (answers are sentences of the "
     "documents)"},
    {"chat.url", "RAG_CHAT_URL", SET_STR, NULL, false,
     "base URL of the chat server"},
    {"chat.key_env", "RAG_CHAT_KEY_ENV", SET_STR, NULL, false,
     "name of the variable that holds its key"},
    {"chat.temperature", "RAG_CHAT_TEMPERATURE", SET_NUM, "0", true,
     "0: the likeliest words"},
    {"chat.context_tokens", "RAG_CHAT_CONTEXT_TOKENS", SET_COUNT, "8192", false,
     "what the model can read at once, question and answer counted"},
    {"chat.max_tokens", "RAG_CHAT_MAX_TOKENS", SET_COUNT, "1024", false,
     "longest answer; one that is cut there ends with 3"},
    {"rerank.model", "RAG_RERANK_MODEL", SET_STR, "none", false,
     "builtin:NAME or http:NAME: reads the best passages with the question and "
     "puts them in order; or none"},
    {"rerank.url", "RAG_RERANK_URL", SET_STR, NULL, false,
     "its base URL, or that of its rerank endpoint"},
    {"rerank.key_env", "RAG_RERANK_KEY_ENV", SET_STR, NULL, false,
     "name of the variable that holds its key"},
    {"rerank.candidates", "RAG_RERANK_CANDIDATES", SET_COUNT, "20", false,
     "passages it is given, the best of words and meaning"},
    {"retrieve.k", "RAG_RETRIEVE_K", SET_COUNT, "8", true,
     "passages of a search or a prompt"},
    {"retrieve.dense_weight", "RAG_RETRIEVE_DENSE_WEIGHT", SET_NUM, "-1", true,
     "share of meaning against words, 0 to 1; -1: by the evidence"},
    {"ingest.include", "RAG_INGEST_INCLUDE", SET_STR, NULL, true,
     "only files that match one of these globs, separated by blanks"},
    {"ingest.exclude", "RAG_INGEST_EXCLUDE", SET_STR, NULL, true,
     "leave out files that match one of these globs"},
    {"chunk.min_tokens", "RAG_CHUNK_MIN_TOKENS", SET_COUNT, "250", true,
     "passages are at least so long where the text allows"},
    {"chunk.max_tokens", "RAG_CHUNK_MAX_TOKENS", SET_COUNT, "400", true,
     "and at most so long"},
    {"jobs", "RAG_JOBS", SET_SIZE, "0", false,
     "files read at once and encoder threads; 0: every CPU"},
    {"net.allow_http", "RAG_ALLOW_HTTP", SET_BOOL, "false", false,
     "plain http to other machines"},
    {"net.ca_file", "RAG_CA_FILE", SET_STR, NULL, false,
     "certificates to trust instead of the system's"},
};
const size_t settings_count = sizeof settings_table / sizeof *settings_table;

_Static_assert(sizeof settings_table / sizeof *settings_table <= SETTINGS_MAX,
               "settings have their place in struct settings");

void settings_free(settings *s)
{
    if (s == NULL)
        return;
    rag_arena_dispose(&s->arena);
    rag_free(s);
}

const char *settings_textf(settings *s, const char *fmt, ...)
{
    char b[8192];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : rag_arena_strdup(&s->arena, b);
}

const char *settings_variable(const char *name)
{
    const char *v = getenv(name);

    return v != NULL && v[0] != '\0' ? v : NULL;
}

size_t settings_find(const char *name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (strcmp(settings_table[i].name, name) == 0)
            return i;
    return settings_count;
}

static bool truth(bool *out, const char *v)
{
    rag_str s = rag_str_of(v);

    if (rag_str_ieqz(s, "true") || rag_str_ieqz(s, "yes") ||
        rag_str_ieqz(s, "on") || rag_str_eqz(s, "1"))
        *out = true;
    else if (rag_str_ieqz(s, "false") || rag_str_ieqz(s, "no") ||
             rag_str_ieqz(s, "off") || rag_str_eqz(s, "0"))
        *out = false;
    else
        return false;
    return true;
}

bool settings_truth(const char *value)
{
    bool yes = false;

    return truth(&yes, value) && yes;
}

rag_status settings_check(size_t i, const char *value, const char *origin,
                          rag_error *err)
{
    const setting *t = &settings_table[i];
    uint64_t u;
    double d;
    bool b;

    switch (t->kind) {
    case SET_STR:
        for (const char *p = value; *p != '\0'; p++)
            if ((unsigned char)*p < 0x20)
                return rag_fail(err, RAG_E_INVAL, "%s (%s): control characters",
                                t->name, origin);
        return RAG_OK;
    case SET_SIZE:
        if (!rag_str_u64(&u, rag_str_of(value)) || u > 1000000000)
            return rag_fail(err, RAG_E_INVAL,
                            "%s = %s (%s): a whole number expected", t->name,
                            value, origin);
        return RAG_OK;
    case SET_COUNT:
        if (!rag_str_u64(&u, rag_str_of(value)) || u == 0 || u > 1000000000)
            return rag_fail(err, RAG_E_INVAL,
                            "%s = %s (%s): a whole number from 1 on expected",
                            t->name, value, origin);
        return RAG_OK;
    case SET_NUM:
        if (!rag_str_double(&d, rag_str_of(value)))
            return rag_fail(err, RAG_E_INVAL, "%s = %s (%s): a number expected",
                            t->name, value, origin);
        return RAG_OK;
    case SET_BOOL:
        if (!truth(&b, value))
            return rag_fail(err, RAG_E_INVAL,
                            "%s = %s (%s): true or false expected", t->name,
                            value, origin);
        return RAG_OK;
    }
    return RAG_OK;
}

rag_status settings_put(settings *s, size_t i, const char *value,
                        const char *origin, rag_error *err)
{
    rag_status st = settings_check(i, value, origin, err);
    const char *copy = st == RAG_OK ? rag_arena_strdup(&s->arena, value) : NULL;

    if (st != RAG_OK)
        return st;
    if (copy == NULL || origin == NULL)
        return rag_fail_nomem(err);
    s->value[i] = copy;
    s->origin[i] = origin;
    return RAG_OK;
}

/* ---- places ------------------------------------------------------------- */

static const char *xdg(settings *s, const char *var, const char *below_home)
{
    const char *dir = settings_variable(var);

    if (dir != NULL && dir[0] == '/')
        return settings_textf(s, "%s/rag", dir);
    return s->home != NULL ? settings_textf(s, "%s/%s/rag", s->home, below_home)
                           : NULL;
}

/* The nearest .rag/ at or above the working directory. Another user's is
 * refused also in the working directory itself: who may write in /tmp could
 * else choose what is found, and where questions go. */
static rag_status nearest(settings *s, rag_error *err)
{
    char dir[PATH_MAX];
    size_t n = strlen(s->cwd);
    struct stat sb;

    if (n >= sizeof dir)
        return RAG_OK;
    memcpy(dir, s->cwd, n + 1);
    for (;;) {
        const char *at =
            settings_textf(s, "%s/.rag", strcmp(dir, "/") == 0 ? "" : dir);
        char *slash;

        if (at == NULL)
            return rag_fail_nomem(err);
        if (lstat(at, &sb) == 0 && S_ISDIR(sb.st_mode)) {
            if (sb.st_uid != geteuid()) {
                s->no_store =
                    settings_textf(s,
                                   "%s belongs to another user: name it with "
                                   "--store to read it, or another store",
                                   at);
                return s->no_store != NULL ? RAG_OK : rag_fail_nomem(err);
            }
            s->store = at;
            s->store_origin = "nearest .rag";
            return RAG_OK;
        }
        slash = strrchr(dir, '/');
        if (slash == NULL || strcmp(dir, "/") == 0)
            return RAG_OK;
        slash[slash == dir] = '\0';
    }
}

static rag_status find_store(settings *s, const char *flag, rag_error *err)
{
    const char *env = settings_variable("RAG_STORE");
    const char *named = flag != NULL ? flag : env;
    rag_status st;

    if (named != NULL) {
        s->store = named[0] == '/' ? settings_textf(s, "%s", named)
                                   : settings_textf(s, "%s/%s", s->cwd, named);
        s->store_origin = flag != NULL ? "--store" : "environment RAG_STORE";
    } else {
        st = nearest(s, err);
        if (st != RAG_OK)
            return st;
        if (s->store == NULL && s->data_dir == NULL && s->no_store == NULL)
            s->no_store = "no store: set HOME or XDG_DATA_HOME, or name one "
                          "with --store DIR";
        if (s->no_store != NULL) {
            s->store_origin = "none";
            return RAG_OK;
        }
        if (s->store == NULL) {
            s->store = settings_textf(s, "%s/default", s->data_dir);
            s->store_origin = "default";
            s->shared_default = true;
        }
    }
    if (s->store == NULL)
        return rag_fail_nomem(err);
    if (rag_str_ends(rag_str_of(s->store), "/.rag"))
        s->project_file = settings_textf(s, "%s/config", s->store);
    return RAG_OK;
}

rag_status settings_load(settings **out, const char *store_flag, rag_error *err)
{
    settings *s = rag_calloc(1, sizeof *s);
    char cwd[PATH_MAX];
    rag_status st = RAG_OK;

    *out = NULL;
    if (s == NULL)
        return rag_fail_nomem(err);
    rag_arena_init(&s->arena);
    s->cwd =
        settings_textf(s, "%s", getcwd(cwd, sizeof cwd) != NULL ? cwd : "/");
    s->home = settings_variable("HOME");
    s->config_dir = xdg(s, "XDG_CONFIG_HOME", ".config");
    s->data_dir = xdg(s, "XDG_DATA_HOME", ".local/share");
    s->state_dir = xdg(s, "XDG_STATE_HOME", ".local/state");
    s->cache_dir = xdg(s, "XDG_CACHE_HOME", ".cache");
    for (size_t i = 0; i < settings_count; i++) {
        s->value[i] = settings_table[i].def;
        s->origin[i] = "default";
    }
    TRY(find_store(s, store_flag, err));
    if (s->config_dir != NULL) {
        s->user_file = settings_textf(s, "%s/config", s->config_dir);
        TRY(settings_read_file(s, s->user_file, false, err));
    }
    if (s->project_file != NULL)
        TRY(settings_read_file(s, s->project_file, true, err));
    for (size_t i = 0; i < settings_count; i++) {
        const char *v = settings_variable(settings_table[i].env);

        if (v != NULL)
            TRY(settings_put(
                s, i, v,
                settings_textf(s, "environment %s", settings_table[i].env),
                err));
    }
    *out = s;
    s = NULL;
out:
    settings_free(s);
    return st;
}

rag_status settings_flag(settings *s, const char *name, const char *value,
                         rag_error *err)
{
    size_t i = settings_find(name);

    return i == settings_count
               ? rag_fail(err, RAG_E_INVAL, "no setting '%s'", name)
               : settings_put(s, i, value, "flag", err);
}

const char *settings_fallback(const char **url, const char *model)
{
    const char *name = NULL;

    if (model != NULL && strncmp(model, "openai:", 7) == 0)
        name = "OPENAI_BASE_URL";
    else if (model != NULL && strncmp(model, "ollama:", 7) == 0)
        name = "OLLAMA_HOST";
    *url = name != NULL ? settings_variable(name) : NULL;
    return *url != NULL ? name : NULL;
}

/* The same for a setting that has no value of its own. */
static const char *fallback_of(const char **url, const settings *s, size_t i)
{
    const char *model = NULL;

    *url = NULL;
    if (s->value[i] != NULL && s->value[i][0] != '\0')
        return NULL;
    if (i == settings_find("embed.url"))
        model = s->value[settings_find("embed.model")];
    else if (i == settings_find("chat.url"))
        model = s->value[settings_find("chat.model")];
    return settings_fallback(url, model);
}

const char *settings_get(const settings *s, size_t i)
{
    const char *url;

    return fallback_of(&url, s, i) != NULL ? url : s->value[i];
}

const char *settings_origin(const settings *s, size_t i)
{
    const char *url;
    const char *name = fallback_of(&url, s, i);

    return name != NULL ? name : s->origin[i];
}

const char *settings_untrusted(const settings *s)
{
    return s->untrusted;
}

const char *settings_store(const settings *s)
{
    return s->store;
}

const char *settings_no_store(const settings *s)
{
    return s->no_store;
}

const char *settings_store_origin(const settings *s)
{
    return s->store_origin;
}

bool settings_store_is_shared_default(const settings *s)
{
    return s->shared_default;
}

const char *settings_user_file(const settings *s)
{
    return s->user_file;
}

const char *settings_project_file(const settings *s)
{
    return s->project_file;
}

const char *settings_value(const settings *s, const char *name)
{
    const char *v = s->value[settings_find(name)];

    return v != NULL && v[0] != '\0' ? v : NULL;
}

#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

/* settings are a page, not a book */
#define MAX_FILE_BYTES ((size_t)1 << 20)
/* inih as distributions build it cuts longer lines */
#define MAX_LINE_BYTES ((size_t)198)

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
    {"embed.batch", "RAG_EMBED_BATCH", SET_SIZE, "64", false,
     "texts in one request"},
    {"embed.in_flight", "RAG_EMBED_IN_FLIGHT", SET_SIZE, "4", false,
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
    {"chat.context_tokens", "RAG_CHAT_CONTEXT_TOKENS", SET_SIZE, "8192", false,
     "what the model can read at once, question and answer counted"},
    {"chat.max_tokens", "RAG_CHAT_MAX_TOKENS", SET_SIZE, "1024", false,
     "longest answer; one that is cut there ends with 3"},
    {"rerank.model", "RAG_RERANK_MODEL", SET_STR, "none", false,
     "builtin:NAME or http:NAME: reads the best passages with the question and "
     "puts them in order; or none"},
    {"rerank.url", "RAG_RERANK_URL", SET_STR, NULL, false,
     "its base URL, or that of its rerank endpoint"},
    {"rerank.key_env", "RAG_RERANK_KEY_ENV", SET_STR, NULL, false,
     "name of the variable that holds its key"},
    {"rerank.candidates", "RAG_RERANK_CANDIDATES", SET_SIZE, "20", false,
     "passages it is given, the best of words and meaning"},
    {"retrieve.k", "RAG_RETRIEVE_K", SET_SIZE, "8", true,
     "passages of a search or a prompt"},
    {"retrieve.dense_weight", "RAG_RETRIEVE_DENSE_WEIGHT", SET_NUM, "-1", true,
     "share of meaning against words, 0 to 1; -1: by the evidence"},
    {"ingest.include", "RAG_INGEST_INCLUDE", SET_STR, NULL, true,
     "only files that match one of these globs, separated by blanks"},
    {"ingest.exclude", "RAG_INGEST_EXCLUDE", SET_STR, NULL, true,
     "leave out files that match one of these globs"},
    {"chunk.min_tokens", "RAG_CHUNK_MIN_TOKENS", SET_SIZE, "250", true,
     "passages are at least so long where the text allows"},
    {"chunk.max_tokens", "RAG_CHUNK_MAX_TOKENS", SET_SIZE, "400", true,
     "and at most so long"},
    {"jobs", "RAG_JOBS", SET_SIZE, "0", false,
     "files read at once and encoder threads; 0: every CPU"},
    {"net.allow_http", "RAG_ALLOW_HTTP", SET_BOOL, "false", false,
     "plain http to other machines"},
    {"net.ca_file", "RAG_CA_FILE", SET_STR, NULL, false,
     "certificates to trust instead of the system's"},
};
const size_t settings_count = sizeof settings_table / sizeof *settings_table;

#define COUNT (sizeof settings_table / sizeof *settings_table)

struct settings {
    rag_arena arena;
    const char *value[COUNT];
    const char *origin[COUNT];
    bool from_flag[COUNT];
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
    /* while a file is read */
    const char *reading;
    bool reading_project;
    bool trusted;
    rag_error *err;
    rag_status st;
};

void settings_free(settings *s)
{
    if (s == NULL)
        return;
    rag_arena_dispose(&s->arena);
    rag_free(s);
}

static const char *textf(settings *s, const char *fmt, ...) RAG_PRINTF(2, 3);

static const char *textf(settings *s, const char *fmt, ...)
{
    char b[8192];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : rag_arena_strdup(&s->arena, b);
}

static const char *variable(const char *name)
{
    const char *v = getenv(name);

    return v != NULL && v[0] != '\0' ? v : NULL;
}

size_t settings_find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(settings_table[i].name, name) == 0)
            return i;
    return COUNT;
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

static rag_status check(size_t i, const char *value, const char *origin,
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

static rag_status put(settings *s, size_t i, const char *value,
                      const char *origin, rag_error *err)
{
    rag_status st = check(i, value, origin, err);
    const char *copy = st == RAG_OK ? rag_arena_strdup(&s->arena, value) : NULL;

    if (st != RAG_OK)
        return st;
    if (copy == NULL || origin == NULL)
        return rag_fail_nomem(err);
    s->value[i] = copy;
    s->origin[i] = origin;
    return RAG_OK;
}

/* ---- files -------------------------------------------------------------- */

/* May a project file that nobody trusted say this? */
static bool is_safe(size_t i, const char *value)
{
    if (!settings_table[i].safe)
        return false;
    /* a local model only */
    return strcmp(settings_table[i].name, "embed.model") != 0 ||
           strncmp(value, "builtin:", 8) == 0 || strcmp(value, "none") == 0;
}

static int on_entry(void *ctx, const char *section, const char *name,
                    const char *value)
{
    settings *s = ctx;
    char full[128];
    size_t i;
    int n = section[0] != '\0'
                ? snprintf(full, sizeof full, "%s.%s", section, name)
                : snprintf(full, sizeof full, "%s", name);

    if (s->st != RAG_OK)
        return 0;
    i = n > 0 && (size_t)n < sizeof full ? settings_find(full) : COUNT;
    if (i == COUNT) {
        s->st = rag_fail(s->err, RAG_E_INVAL,
                         "%s: no setting '%s' (rag config lists them)",
                         s->reading, full);
        return 0;
    }
    if (s->reading_project && !s->trusted && !is_safe(i, value)) {
        s->untrusted = s->untrusted == NULL
                           ? textf(s, "%s", full)
                           : textf(s, "%s, %s", s->untrusted, full);
        return 1;
    }
    s->st = put(s, i, value, s->reading, s->err);
    return s->st == RAG_OK;
}

static rag_status too_long(const char *path, rag_str text, rag_error *err)
{
    rag_str line;
    size_t no = 0;

    while (rag_str_next_line(&line, &text)) {
        no++;
        if (line.len > MAX_LINE_BYTES)
            return rag_fail(err, RAG_E_INVAL, "%s:%zu: more than %zu bytes",
                            path, no, MAX_LINE_BYTES);
    }
    return RAG_OK;
}

static void trust_mark(char out[65], const char *path, rag_str text)
{
    rag_sha256 *h = rag_sha256_new();
    uint8_t digest[RAG_SHA256_BYTES];

    out[0] = '\0';
    if (h == NULL)
        return;
    rag_sha256_add(h, path, strlen(path) + 1);
    rag_sha256_add(h, text.ptr, text.len);
    rag_sha256_end(h, digest);
    rag_sha256_free(h);
    rag_hash_hex(out, digest, RAG_SHA256_BYTES);
}

static const char *trust_path(settings *s, const char *path, rag_str text)
{
    char mark[65];

    if (s->state_dir == NULL)
        return NULL;
    trust_mark(mark, path, text);
    return textf(s, "%s/trusted/%s", s->state_dir, mark);
}

static rag_status read_ini(settings *s, const char *path, bool project,
                           rag_error *err)
{
    const char *mark;
    rag_status st;
    rag_buf b;
    int line;

    rag_buf_init(&b, MAX_FILE_BYTES * 2);
    st = rag_file_read(&b, path, MAX_FILE_BYTES, err);
    if (st == RAG_E_NOTFOUND) {
        rag_error_clear(err);
        st = RAG_OK;
        goto out;
    }
    if (st != RAG_OK)
        goto out;
    TRY(too_long(path, rag_buf_str(&b), err));
    s->reading = path;
    s->reading_project = project;
    mark = project ? trust_path(s, path, rag_buf_str(&b)) : NULL;
    s->trusted = mark != NULL && access(mark, F_OK) == 0;
    s->err = err;
    s->st = RAG_OK;
    line = ini_parse_string(b.ptr, on_entry, s);
    st = s->st;
    if (st == RAG_OK && line != 0)
        st = rag_fail(err, RAG_E_INVAL,
                      "%s:%d: neither [section] nor name = value", path, line);
out:
    rag_buf_dispose(&b);
    return st;
}

/* ---- places ------------------------------------------------------------- */

static const char *xdg(settings *s, const char *var, const char *below_home)
{
    const char *dir = variable(var);

    if (dir != NULL && dir[0] == '/')
        return textf(s, "%s/rag", dir);
    return s->home != NULL ? textf(s, "%s/%s/rag", s->home, below_home) : NULL;
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
        const char *at = textf(s, "%s/.rag", strcmp(dir, "/") == 0 ? "" : dir);
        char *slash;

        if (at == NULL)
            return rag_fail_nomem(err);
        if (lstat(at, &sb) == 0 && S_ISDIR(sb.st_mode)) {
            if (sb.st_uid != geteuid()) {
                s->no_store = textf(s,
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
    const char *env = variable("RAG_STORE");
    const char *named = flag != NULL ? flag : env;
    rag_status st;

    if (named != NULL) {
        s->store = named[0] == '/' ? textf(s, "%s", named)
                                   : textf(s, "%s/%s", s->cwd, named);
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
            s->store = textf(s, "%s/default", s->data_dir);
            s->store_origin = "default";
            s->shared_default = true;
        }
    }
    if (s->store == NULL)
        return rag_fail_nomem(err);
    if (rag_str_ends(rag_str_of(s->store), "/.rag"))
        s->project_file = textf(s, "%s/config", s->store);
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
    s->cwd = textf(s, "%s", getcwd(cwd, sizeof cwd) != NULL ? cwd : "/");
    s->home = variable("HOME");
    s->config_dir = xdg(s, "XDG_CONFIG_HOME", ".config");
    s->data_dir = xdg(s, "XDG_DATA_HOME", ".local/share");
    s->state_dir = xdg(s, "XDG_STATE_HOME", ".local/state");
    s->cache_dir = xdg(s, "XDG_CACHE_HOME", ".cache");
    for (size_t i = 0; i < COUNT; i++) {
        s->value[i] = settings_table[i].def;
        s->origin[i] = "default";
    }
    TRY(find_store(s, store_flag, err));
    if (s->config_dir != NULL) {
        s->user_file = textf(s, "%s/config", s->config_dir);
        TRY(read_ini(s, s->user_file, false, err));
    }
    if (s->project_file != NULL)
        TRY(read_ini(s, s->project_file, true, err));
    for (size_t i = 0; i < COUNT; i++) {
        const char *v = variable(settings_table[i].env);

        if (v != NULL)
            TRY(put(s, i, v, textf(s, "environment %s", settings_table[i].env),
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

    return i == COUNT ? rag_fail(err, RAG_E_INVAL, "no setting '%s'", name)
                      : put(s, i, value, "flag", err);
}

/* The variable of the provider's own tools that says where it lives; *url: its
 * value. NULL when there is none. */
static const char *fallback(const char **url, const char *model)
{
    const char *name = NULL;

    if (model != NULL && strncmp(model, "openai:", 7) == 0)
        name = "OPENAI_BASE_URL";
    else if (model != NULL && strncmp(model, "ollama:", 7) == 0)
        name = "OLLAMA_HOST";
    *url = name != NULL ? variable(name) : NULL;
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
    return fallback(url, model);
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

/* ---- to the library ----------------------------------------------------- */

const char *settings_value(const settings *s, const char *name)
{
    const char *v = s->value[settings_find(name)];

    return v != NULL && v[0] != '\0' ? v : NULL;
}

static size_t size_of(const settings *s, const char *name)
{
    uint64_t u = 0;

    /* checked when it was set */
    return rag_str_u64(&u, rag_str_of(s->value[settings_find(name)]))
               ? (size_t)u
               : 0;
}

static double num_of(const settings *s, const char *name)
{
    double d = 0;

    return rag_str_double(&d, rag_str_of(s->value[settings_find(name)])) ? d
                                                                         : 0;
}

/* URL and key of one kind of model ("embed", "chat"). The variables of other
 * programs count where no URL is set. The default key variable counts only for
 * OpenAI's own URL or OPENAI_BASE_URL: a key goes to the host it was set up
 * with and to no other. */
static void endpoint(const char **url, const char **key, const settings *s,
                     const char *model, const char *set_url,
                     const char *key_env)
{
    bool openai = model != NULL && strncmp(model, "openai:", 7) == 0;
    const char *from = NULL;

    *url = settings_value(s, set_url);
    if (*url == NULL && fallback(&from, model))
        *url = from;
    key_env = settings_value(s, key_env);
    if (key_env == NULL && openai &&
        (settings_value(s, set_url) == NULL ||
         strncmp(*url, "https://api.openai.com/", 23) == 0))
        key_env = "OPENAI_API_KEY";
    *key = key_env != NULL ? variable(key_env) : NULL;
}

rag_status settings_config(rag_config *out, const settings *s, rag_error *err)
{
    bool allow = false;

    memset(out, 0, sizeof *out);
    out->store_dir = s->store;
    out->state_dir = s->state_dir;
    out->data_dir = s->data_dir;
    out->cache_dir = s->cache_dir;
    out->cwd = s->cwd;
    out->embed_model = settings_value(s, "embed.model");
    endpoint(&out->embed_url, &out->embed_key, s, out->embed_model, "embed.url",
             "embed.key_env");
    out->embed_query_prefix = settings_value(s, "embed.query_prefix");
    out->embed_passage_prefix = settings_value(s, "embed.passage_prefix");
    out->embed_batch_texts = size_of(s, "embed.batch");
    out->embed_in_flight = size_of(s, "embed.in_flight");
    out->embed_price_per_mtok = num_of(s, "embed.price_per_mtok");
    out->chat_model = settings_value(s, "chat.model");
    endpoint(&out->chat_url, &out->chat_key, s, out->chat_model, "chat.url",
             "chat.key_env");
    out->chat_temperature = num_of(s, "chat.temperature");
    out->chat_context_tokens = size_of(s, "chat.context_tokens");
    out->chat_max_tokens = size_of(s, "chat.max_tokens");
    out->rerank_model = settings_value(s, "rerank.model");
    endpoint(&out->rerank_url, &out->rerank_key, s, out->rerank_model,
             "rerank.url", "rerank.key_env");
    out->rerank_candidates = size_of(s, "rerank.candidates");
    out->retrieve_k = size_of(s, "retrieve.k");
    out->retrieve_dense_weight = num_of(s, "retrieve.dense_weight");
    out->chunk_min_tokens = (uint32_t)size_of(s, "chunk.min_tokens");
    out->chunk_max_tokens = (uint32_t)size_of(s, "chunk.max_tokens");
    if (out->chunk_min_tokens > out->chunk_max_tokens)
        return rag_fail(err, RAG_E_INVAL,
                        "chunk.min_tokens (%u) is above chunk.max_tokens (%u)",
                        (unsigned)out->chunk_min_tokens,
                        (unsigned)out->chunk_max_tokens);
    out->n_jobs = size_of(s, "jobs");
    if (truth(&allow, s->value[settings_find("net.allow_http")]))
        out->allow_http = allow;
    out->ca_file = settings_value(s, "net.ca_file");
    return RAG_OK;
}

/* ---- writing ------------------------------------------------------------ */

/* Appends text with `key` of [section] set to value, or taken out. */
static void edit(rag_buf *out, rag_str text, const char *section,
                 const char *key, const char *value)
{
    bool inside = section[0] == '\0';
    bool done = value == NULL;
    rag_str line;

    while (rag_str_next_line(&line, &text)) {
        rag_str t = rag_str_trim(line);
        size_t eq = rag_str_find_char(t, '=');

        if (t.len > 1 && t.ptr[0] == '[') {
            if (inside && !done) {
                rag_buf_addf(out, "%s = %s\n", key, value);
                done = true;
            }
            inside = rag_str_eqz(rag_str_trim(rag_str_cut(t, 1, t.len - 1)),
                                 section);
        } else if (inside && eq != SIZE_MAX &&
                   rag_str_eqz(rag_str_trim(rag_str_cut(t, 0, eq)), key)) {
            if (!done)
                rag_buf_addf(out, "%s = %s\n", key, value);
            done = true;
            continue;
        }
        rag_buf_adds(out, line);
        rag_buf_addc(out, '\n');
    }
    if (done)
        return;
    if (!inside)
        rag_buf_addf(out, "[%s]\n", section);
    rag_buf_addf(out, "%s = %s\n", key, value);
}

rag_status settings_write(const settings *s, const char *name,
                          const char *value, rag_error *err)
{
    size_t i = settings_find(name);
    const char *dot = strchr(name, '.');
    char section[64] = "";
    rag_status st = RAG_OK;
    rag_buf old;
    rag_buf new;

    if (i == COUNT)
        return rag_fail(err, RAG_E_INVAL,
                        "no setting '%s' (rag config lists them)", name);
    if (s->user_file == NULL)
        return rag_fail(err, RAG_E_INVAL, "set HOME or XDG_CONFIG_HOME first");
    if (dot != NULL) {
        memcpy(section, name, (size_t)(dot - name));
        section[dot - name] = '\0';
    }
    rag_buf_init(&old, MAX_FILE_BYTES * 2);
    rag_buf_init(&new, MAX_FILE_BYTES * 2);
    if (value != NULL)
        TRY(check(i, value, "command line", err));
    st = rag_file_read(&old, s->user_file, MAX_FILE_BYTES, err);
    if (st == RAG_E_NOTFOUND)
        rag_error_clear(err);
    else if (st != RAG_OK)
        goto out;
    edit(&new, rag_buf_str(&old), section, dot != NULL ? dot + 1 : name, value);
    TRY(rag_buf_status(&new, err));
    TRY(too_long(s->user_file, rag_buf_str(&new), err));
    TRY(rag_file_mkdirs(s->config_dir, err));
    st = rag_file_replace(s->user_file, new.ptr, new.len, err);
out:
    rag_buf_dispose(&old);
    rag_buf_dispose(&new);
    return st;
}

rag_status settings_trust(const settings *s, rag_error *err)
{
    char mark[65];
    char *dir = NULL;
    char *file = NULL;
    rag_status st;
    rag_buf b;

    if (s->project_file == NULL)
        return rag_fail(err, RAG_E_INVAL,
                        "there is no .rag folder at or above this one");
    if (s->state_dir == NULL)
        return rag_fail(err, RAG_E_INVAL, "set HOME or XDG_STATE_HOME first");
    rag_buf_init(&b, MAX_FILE_BYTES * 2);
    TRY(rag_file_read(&b, s->project_file, MAX_FILE_BYTES, err));
    trust_mark(mark, s->project_file, rag_buf_str(&b));
    dir = rag_file_join(s->state_dir, "trusted");
    file = dir != NULL ? rag_file_join(dir, mark) : NULL;
    if (file == NULL) {
        st = rag_fail_nomem(err);
        goto out;
    }
    TRY(rag_file_mkdirs(dir, err));
    st = rag_file_replace(file, s->project_file, strlen(s->project_file), err);
out:
    rag_free(file);
    rag_free(dir);
    rag_buf_dispose(&b);
    return st;
}

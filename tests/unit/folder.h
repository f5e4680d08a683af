#ifndef RAG_TESTS_FOLDER_H
#define RAG_TESTS_FOLDER_H

/* Temporary folders that go away when the test program ends, also after an
 * assertion failed: cmocka jumps out of a test, past its own clean-up. */

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define FOLDER_MAX 256

static char folder_names[FOLDER_MAX][96];
static size_t folder_n;
static pid_t folder_owner; /* children that exit() leave them alone */

static inline int folder_drop_one(const char *path, const struct stat *sb,
                                  int flag, struct FTW *ftw)
{
    (void)sb;
    (void)flag;
    (void)ftw;
    (void)remove(path);
    return 0;
}

static inline void folder_drop(const char *path)
{
    (void)nftw(path, folder_drop_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void folder_drop_all(void)
{
    if (getpid() != folder_owner)
        return;
    for (size_t i = 0; i < folder_n; i++)
        folder_drop(folder_names[i]);
}

/* mkdtemp() that remembers. */
static inline char *folder_new(char *path)
{
    if (mkdtemp(path) == NULL)
        return NULL;
    if (folder_n == 0) {
        folder_owner = getpid();
        (void)atexit(folder_drop_all);
    }
    if (folder_n < FOLDER_MAX && getpid() == folder_owner)
        (void)snprintf(folder_names[folder_n++], sizeof folder_names[0], "%s",
                       path);
    return path;
}

#endif /* RAG_TESTS_FOLDER_H */

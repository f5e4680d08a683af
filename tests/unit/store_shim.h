#ifndef RAG_TESTS_STORE_SHIM_H
#define RAG_TESTS_STORE_SHIM_H

/*
 * A VFS that counts what changes a file (write, truncate, sync) and, at the
 * n-th of them, fails or kills the process in the middle of it.
 */

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

typedef enum shim_how { SHIM_FULL, SHIM_IOERR, SHIM_KILL } shim_how;

static struct {
    long left; /* 0: never */
    long seen; /* events since shim_set() */
    shim_how how;
    int stays; /* and everything after it */
} shim;

typedef struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
} shim_file;

static inline void shim_set(long at, shim_how how, int stays)
{
    shim.left = at;
    shim.seen = 0;
    shim.how = how;
    shim.stays = stays;
}

/* Is this event the one? */
static inline int shim_hit(void)
{
    shim.seen++;
    if (shim.left == 0)
        return 0;
    if (shim.left > 1) {
        shim.left--;
        return 0;
    }
    if (!shim.stays)
        shim.left = 0;
    return 1;
}

static inline int shim_code(int ioerr)
{
    return shim.how == SHIM_FULL ? SQLITE_FULL : ioerr;
}

static inline sqlite3_file *shim_real(sqlite3_file *f)
{
    void *p = f;

    return ((shim_file *)p)->real;
}

#define SHIM_FORWARD(name, args, call)                                         \
    static int shim_##name args                                                \
    {                                                                          \
        sqlite3_file *r = shim_real(f);                                        \
        return r->pMethods->call;                                              \
    }

SHIM_FORWARD(close, (sqlite3_file * f), xClose(r))
SHIM_FORWARD(read, (sqlite3_file * f, void *p, int n, sqlite3_int64 at),
             xRead(r, p, n, at))
SHIM_FORWARD(size, (sqlite3_file * f, sqlite3_int64 *n), xFileSize(r, n))
SHIM_FORWARD(lock, (sqlite3_file * f, int l), xLock(r, l))
SHIM_FORWARD(unlock, (sqlite3_file * f, int l), xUnlock(r, l))
SHIM_FORWARD(reserved, (sqlite3_file * f, int *l), xCheckReservedLock(r, l))
SHIM_FORWARD(control, (sqlite3_file * f, int op, void *p),
             xFileControl(r, op, p))
SHIM_FORWARD(sector, (sqlite3_file * f), xSectorSize(r))
SHIM_FORWARD(device, (sqlite3_file * f), xDeviceCharacteristics(r))
SHIM_FORWARD(shm_map,
             (sqlite3_file * f, int i, int n, int b, void volatile **p),
             xShmMap(r, i, n, b, p))
SHIM_FORWARD(shm_lock, (sqlite3_file * f, int o, int n, int flags),
             xShmLock(r, o, n, flags))
SHIM_FORWARD(shm_unmap, (sqlite3_file * f, int del), xShmUnmap(r, del))

static void shim_barrier(sqlite3_file *f)
{
    sqlite3_file *r = shim_real(f);

    r->pMethods->xShmBarrier(r);
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    sqlite3_file *r = shim_real(f);

    if (shim_hit()) {
        if (shim.how == SHIM_KILL) { /* torn: half of it is on the disk */
            (void)r->pMethods->xWrite(r, p, n / 2, at);
            (void)kill(getpid(), SIGKILL);
        }
        return shim_code(SQLITE_IOERR_WRITE);
    }
    return r->pMethods->xWrite(r, p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    sqlite3_file *r = shim_real(f);

    if (shim_hit()) {
        if (shim.how == SHIM_KILL)
            (void)kill(getpid(), SIGKILL);
        return shim_code(SQLITE_IOERR_TRUNCATE);
    }
    return r->pMethods->xTruncate(r, n);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    sqlite3_file *r = shim_real(f);

    if (shim_hit()) {
        if (shim.how == SHIM_KILL)
            (void)kill(getpid(), SIGKILL);
        return shim_code(SQLITE_IOERR_FSYNC);
    }
    return r->pMethods->xSync(r, flags);
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                     int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = shim_close,
        .xRead = shim_read,
        .xWrite = shim_write,
        .xTruncate = shim_truncate,
        .xSync = shim_sync,
        .xFileSize = shim_size,
        .xLock = shim_lock,
        .xUnlock = shim_unlock,
        .xCheckReservedLock = shim_reserved,
        .xFileControl = shim_control,
        .xSectorSize = shim_sector,
        .xDeviceCharacteristics = shim_device,
        .xShmMap = shim_shm_map,
        .xShmLock = shim_shm_lock,
        .xShmBarrier = shim_barrier,
        .xShmUnmap = shim_shm_unmap,
    };
    sqlite3_vfs *under = vfs->pAppData;
    void *at = f;
    shim_file *mine = at;
    int rc;

    at = (char *)at + sizeof *mine;
    mine->real = at;
    rc = under->xOpen(under, name, mine->real, flags, out_flags);
    mine->base.pMethods = mine->real->pMethods != NULL ? &methods : NULL;
    return rc;
}

/* Every database opened from now on goes through it. */
static inline void shim_install(void)
{
    static sqlite3_vfs vfs;
    sqlite3_vfs *under;

    if (vfs.zName != NULL)
        return;
    under = sqlite3_vfs_find(NULL);
    vfs = *under;
    vfs.zName = "shim";
    vfs.pAppData = under;
    vfs.szOsFile += (int)sizeof(shim_file);
    vfs.xOpen = shim_open;
    (void)sqlite3_vfs_register(&vfs, 1);
}

#endif /* RAG_TESTS_STORE_SHIM_H */

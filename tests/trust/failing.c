/* A disk that fails or is full, for one process and one folder.
 *
 * Loaded before the C library (LD_PRELOAD). FAIL_FOLDER names the folder, FAIL_ORDERS a file of four 32-bit numbers that
 * both sides map: which call is to fail (below; 0: none), after how many that go well, with which error, and whether it
 * fails once (0) or from then on (1). A fifth number counts the calls that failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum call { SYNC = 1, WRITE, READ, RENAME };

struct orders {
    volatile int32_t call, left, error, lasting, failed;
};

#define MOST 1024
static char watched[MOST]; /* by descriptor: is it a file of the folder? */
static const char *folder;
static struct orders *orders;

static void *original(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void)
{
    int (*open_file)(const char *, int, ...) = original("open64");
    const char *path = getenv("FAIL_ORDERS");
    folder = getenv("FAIL_FOLDER");
    int handle = path ? open_file(path, O_RDWR) : -1;
    if (handle < 0)
        return;
    orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    close(handle);
}

static int within(const char *path)
{
    size_t length = folder ? strlen(folder) : 0;
    return length && path && !strncmp(path, folder, length) && path[length] == '/';
}

/* Is it this call's turn to fail? Then errno says why. */
static int fails(enum call call)
{
    if (!orders || orders->call != (int32_t)call || orders->left-- > 0)
        return 0;
    if (!orders->lasting)
        orders->call = 0;
    orders->failed++;
    errno = orders->error;
    return 1;
}

static int of_folder(int handle) { return handle >= 0 && handle < MOST && watched[handle]; }

static int opened(int handle, const char *path)
{
    if (handle >= 0 && handle < MOST)
        watched[handle] = within(path);
    return handle;
}

#define OPENS(FUNCTION)                                        \
    int FUNCTION(const char *path, int flags, ...)             \
    {                                                          \
        static int (*real)(const char *, int, ...);            \
        va_list more;                                          \
        va_start(more, flags);                                 \
        int mode = va_arg(more, int);                          \
        va_end(more);                                          \
        if (!real)                                             \
            real = original(#FUNCTION);                        \
        return opened(real(path, flags, mode), path);          \
    }
OPENS(open)
OPENS(open64)

int close(int handle)
{
    static int (*real)(int);
    if (!real)
        real = original("close");
    if (of_folder(handle))
        watched[handle] = 0;
    return real(handle);
}

/* What takes a descriptor first and returns -1 where it fails. */
#define FAILS(CALL, TYPE, FUNCTION, DECLARED, HANDED)          \
    TYPE FUNCTION DECLARED                                     \
    {                                                          \
        static TYPE(*real) DECLARED;                           \
        if (!real)                                             \
            real = original(#FUNCTION);                        \
        if (of_folder(handle) && fails(CALL))                  \
            return -1;                                         \
        return real HANDED;                                    \
    }
FAILS(SYNC, int, fsync, (int handle), (handle))
FAILS(SYNC, int, fdatasync, (int handle), (handle))
FAILS(WRITE, ssize_t, write, (int handle, const void *bytes, size_t size), (handle, bytes, size))
FAILS(WRITE, ssize_t, pwrite, (int handle, const void *bytes, size_t size, off_t at), (handle, bytes, size, at))
FAILS(WRITE, ssize_t, pwrite64, (int handle, const void *bytes, size_t size, off64_t at), (handle, bytes, size, at))
FAILS(WRITE, int, ftruncate, (int handle, off_t size), (handle, size))
FAILS(WRITE, int, ftruncate64, (int handle, off64_t size), (handle, size))
FAILS(READ, ssize_t, read, (int handle, void *bytes, size_t size), (handle, bytes, size))
FAILS(READ, ssize_t, pread, (int handle, void *bytes, size_t size, off_t at), (handle, bytes, size, at))
FAILS(READ, ssize_t, pread64, (int handle, void *bytes, size_t size, off64_t at), (handle, bytes, size, at))

/* What gives a file another name, or takes it away. */
#define MOVES(FUNCTION, DECLARED, HANDED)                      \
    int FUNCTION DECLARED                                      \
    {                                                          \
        static int(*real) DECLARED;                            \
        if (!real)                                             \
            real = original(#FUNCTION);                        \
        if (within(path) && fails(RENAME))                     \
            return -1;                                         \
        return real HANDED;                                    \
    }
MOVES(rename, (const char *path, const char *target), (path, target))
MOVES(link, (const char *path, const char *target), (path, target))
MOVES(unlink, (const char *path), (path))

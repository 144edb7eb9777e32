/* Notes what one process does to the files of one folder: what it wrote, where, and when it asked for the disk.
 *
 * Loaded before the C library (LD_PRELOAD). RECORD_FOLDER names the folder, RECORD_TO the file of notes, outside it.
 * A note is a header (below), the name of the file within the folder, and the bytes written. What is written to a file
 * named "marks" is a word of the recorded program itself ("this is stored now") and goes into the notes in its place.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATED = 1, WRITTEN, TRUNCATED, SYNCED, REMOVED, MARKED };

struct __attribute__((packed)) header {
    uint8_t kind;
    uint16_t name_length;
    uint32_t size;
    int64_t offset;
};

#define MOST 1024
static char *names[MOST]; /* by descriptor: the name within the folder; "" is the folder itself */
static const char *folder;
static int notes = -1;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *original(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void)
{
    int (*open_file)(const char *, int, ...) = original("open64");
    folder = getenv("RECORD_FOLDER");
    if (folder && getenv("RECORD_TO"))
        notes = open_file(getenv("RECORD_TO"), O_WRONLY | O_APPEND | O_CREAT, 0600);
}

/* The name within the folder, NULL for a path outside it. */
static const char *within(const char *path)
{
    size_t length = folder ? strlen(folder) : 0;
    if (notes < 0 || !path || strncmp(path, folder, length) || (path[length] && path[length] != '/'))
        return NULL;
    return path[length] ? path + length + 1 : "";
}

static void note(enum kind kind, const char *name, int64_t offset, const void *bytes, size_t size)
{
    struct header header = { kind, (uint16_t)strlen(name), (uint32_t)size, offset };
    struct iovec parts[3] = { { &header, sizeof header }, { (void *)name, strlen(name) }, { (void *)bytes, size } };
    pthread_mutex_lock(&turn);
    if (writev(notes, parts, 3) < 0)
        abort(); /* a recording with a hole in it would prove nothing */
    pthread_mutex_unlock(&turn);
}

static const char *name_of(int handle) { return handle >= 0 && handle < MOST ? names[handle] : NULL; }

static int opened(int handle, const char *path, int flags)
{
    const char *name = within(path);
    if (handle < 0 || handle >= MOST)
        return handle;
    free(names[handle]);
    names[handle] = name ? strdup(name) : NULL;
    if (name && *name && (flags & O_CREAT))
        note(CREATED, name, 0, NULL, 0);
    return handle;
}

#define OPENS(FUNCTION)                                                       \
    int FUNCTION(const char *path, int flags, ...)                            \
    {                                                                         \
        static int (*real)(const char *, int, ...);                           \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        int mode = va_arg(more, int);                                         \
        va_end(more);                                                         \
        if (!real)                                                            \
            real = original(#FUNCTION);                                       \
        return opened(real(path, flags, mode), path, flags);                  \
    }
OPENS(open)
OPENS(open64)

int close(int handle)
{
    static int (*real)(int);
    if (!real)
        real = original("close");
    if (name_of(handle)) {
        free(names[handle]);
        names[handle] = NULL;
    }
    return real(handle);
}

ssize_t pwrite64(int handle, const void *bytes, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        real = original("pwrite64");
    ssize_t done = real(handle, bytes, size, offset);
    if (done > 0 && name_of(handle))
        note(WRITTEN, name_of(handle), offset, bytes, done);
    return done;
}

ssize_t pwrite(int handle, const void *bytes, size_t size, off_t offset)
{
    return pwrite64(handle, bytes, size, offset);
}

ssize_t write(int handle, const void *bytes, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = original("write");
    const char *name = name_of(handle);
    if (name && !strcmp(name, "marks"))
        note(MARKED, name, 0, bytes, size);
    ssize_t done = real(handle, bytes, size);
    if (done > 0 && name && strcmp(name, "marks"))
        note(WRITTEN, name, lseek64(handle, 0, SEEK_CUR) - done, bytes, done); /* right for O_APPEND too */
    return done;
}

#define SYNCS(FUNCTION)                                                       \
    int FUNCTION(int handle)                                                  \
    {                                                                         \
        static int (*real)(int);                                              \
        if (!real)                                                            \
            real = original(#FUNCTION);                                       \
        int failed = real(handle);                                            \
        if (!failed && name_of(handle))                                       \
            note(SYNCED, name_of(handle), 0, NULL, 0);                        \
        return failed;                                                        \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int ftruncate64(int handle, off64_t size)
{
    static int (*real)(int, off64_t);
    if (!real)
        real = original("ftruncate64");
    int failed = real(handle, size);
    if (!failed && name_of(handle))
        note(TRUNCATED, name_of(handle), size, NULL, 0);
    return failed;
}

int ftruncate(int handle, off_t size) { return ftruncate64(handle, size); }

int unlink(const char *path)
{
    static int (*real)(const char *);
    if (!real)
        real = original("unlink");
    int failed = real(path);
    if (!failed && within(path))
        note(REMOVED, within(path), 0, NULL, 0);
    return failed;
}

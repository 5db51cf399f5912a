/* faults.c - preloaded into a tool: its nth allocation fails, its reads and writes come short.
 * SPDX-License-Identifier: MIT
 *
 *   FAULTS_COUNTER=FILE    8 bytes, of the caller's making, in which all processes of the run count
 *   FAULTS_AT=n            the nth allocation or mapping fails (0: none)
 *   FAULTS_LASTING=1       so do all after it: memory does not come back
 *   FAULTS_SHORT=1         read, pread and write move at most a few bytes
 *
 * Counted is what a program called mmk-* asks for once its main has begun, by itself or through
 * libraries; gnuplot, git and shells that it starts have all they ask for. System calls that fail,
 * and those that stdio makes, are strace's business (tests/faults.sh).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static bool began;
static uint64_t *counter; /* shared by all processes */
static uint64_t at;
static bool lasting, comes_short;

static bool fails(void)
{
    if (!began || counter == NULL)
        return false;
    uint64_t n = __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
    if (at == 0 || n < at || (n > at && !lasting))
        return false;
    errno = ENOMEM;
    return true;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

EXPORT void *malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

EXPORT void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(count, bytes);
}

EXPORT void *realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(old, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

EXPORT int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    int before = errno;
    void *got = fails() ? NULL : __libc_memalign(alignment, bytes);
    errno = before;
    if (got == NULL)
        return ENOMEM;
    *memory = got;
    return 0;
}

EXPORT void *mmap(void *where, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fails())
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, where, bytes, protection, flags, fd, offset);
}

/* ---- Short reads and writes ------------------------------------------------------------------ */

static size_t few(size_t bytes)
{
    static unsigned calls;
    size_t most = 1 + __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 7;
    return began && comes_short && bytes > most ? most : bytes;
}

EXPORT ssize_t read(int fd, void *bytes, size_t count)
{
    return syscall(SYS_read, fd, bytes, few(count));
}

EXPORT ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    return syscall(SYS_pread64, fd, bytes, few(count), offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t count)
{
    return syscall(SYS_write, fd, bytes, few(count));
}

/* ---- The beginning of main ------------------------------------------------------------------- */

static bool is_tool(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(path, '/');
    return slash != NULL && strncmp(slash + 1, "mmk-", 4) == 0;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && strcmp(value, "1") == 0;
}

static void begin(void)
{
    const char *path = getenv("FAULTS_COUNTER"), *n = getenv("FAULTS_AT");
    if (!is_tool())
        return;
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        counter = map == MAP_FAILED ? NULL : map;
        close(fd);
    }
    at = n != NULL ? strtoull(n, NULL, 10) : 0;
    lasting = is_set("FAULTS_LASTING");
    comes_short = is_set("FAULTS_SHORT");
    began = true;
}

typedef int main_function(int, char **, char **);
static main_function *real_main;

static int counted_main(int argc, char **argv, char **environment)
{
    begin();
    return real_main(argc, argv, environment);
}

/* Every program of glibc's begins here, and finds ours first. */
EXPORT int __libc_start_main(main_function *main_of_program, int argc, char **argv,
                             void (*init)(void), void (*fini)(void), void (*loader_fini)(void),
                             void *stack_end)
{
    int (*start)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                 void *);
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&start, &symbol, sizeof start);
    real_main = main_of_program;
    return start(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}

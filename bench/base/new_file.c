/* new_file.c - a file that takes its place, by rename, once it is complete.
 * SPDX-License-Identifier: MIT
 *
 * Whether the run that made a .part still lives its lock tells, and not its pid, which may mean
 * another process by now, or be one of another container.
 */
#include "new_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- What is open, so that no exit leaves it behind ------------------------------------------ */

static struct new_file *open_files;
static pid_t owner; /* a child that was forked has the list, and not the files */
static pid_t owner_thread;

static void drop_all(void)
{
    while (open_files && owner == getpid())
        new_file_drop(open_files);
}

/* What ends a program that does not look after it. */
static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ};
enum { ENDINGS = sizeof endings / sizeof endings[0] };

/* Removes the names, and lets the signal do what it would have done. Where another thread got it
 * the list may just be changing: the owner, who blocks signals then, gets it in its turn. */
static void on_ending(int number)
{
    if (owner == getpid() && owner_thread != gettid()) {
        if (syscall(SYS_tgkill, owner, owner_thread, number) == 0) /* not every libc has it */
            return;
    } else if (owner == getpid()) {
        for (const struct new_file *n = open_files; n; n = n->next)
            unlink(n->temporary);
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* What the caller ignores, as under nohup, or handles himself, stays so. */
static void watch_endings(void)
{
    struct sigaction old, action = {.sa_handler = on_ending, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ENDINGS; i++)
        if (sigaction(endings[i], NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
            old.sa_handler == SIG_DFL)
            sigaction(endings[i], &action, NULL);
}

/* Until the name is remembered: a file that was made just before the signal would stay. */
static void hold_endings(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < ENDINGS; i++)
        sigaddset(&held, endings[i]);
    pthread_sigmask(SIG_BLOCK, &held, before);
}

static void remember(struct new_file *n)
{
    if (owner != getpid()) {
        open_files = NULL;
        if (owner == 0)
            atexit(drop_all);
        owner = getpid();
        watch_endings();
    }
    owner_thread = gettid();
    n->next = open_files;
    open_files = n;
}

static void forget(const struct new_file *n)
{
    struct new_file **at = &open_files;
    while (*at && *at != n)
        at = &(*at)->next;
    if (*at)
        *at = n->next;
}

/* ---- What killed runs left ------------------------------------------------------------------- */

/* "<name>.<digits>.part" */
static bool is_part(const char *entry, const char *name)
{
    size_t length = strlen(entry), end = length - strlen(".part"), digits = 0;
    if (length <= strlen(".part") || strcmp(entry + end, ".part") != 0)
        return false;
    while (digits < end && entry[end - 1 - digits] >= '0' && entry[end - 1 - digits] <= '9')
        digits++;
    if (digits == 0 || digits + 1 >= end || entry[end - digits - 1] != '.')
        return false;
    size_t stem = end - digits - 1;
    return !name || (strlen(name) == stem && strncmp(entry, name, stem) == 0);
}

/* Where others hold the lock it is being written. */
static void remove_abandoned(int folder, const char *entry)
{
    struct stat status;
    int fd = openat(folder, entry, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, entry, 0);
    close(fd);
}

void new_file_clean(const char *folder, const char *name)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    while (entries && (entry = readdir(entries)) != NULL)
        if (is_part(entry->d_name, name))
            remove_abandoned(dirfd(entries), entry->d_name);
    if (entries)
        closedir(entries);
}

static void clean_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    new_file_clean(folder, slash ? slash + 1 : path);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* What stands at the path may be replaced: nothing, or a regular file. */
static bool may_replace(const char *path, char *error, size_t error_bytes)
{
    struct stat status;
    if (lstat(path, &status) != 0 || S_ISREG(status.st_mode))
        return true;
    snprintf(error, error_bytes, "%s is a %s; give the name of a %sfile", path,
             S_ISDIR(status.st_mode)    ? "folder"
             : S_ISLNK(status.st_mode)  ? "symbolic link"
             : S_ISFIFO(status.st_mode) ? "FIFO"
             : S_ISSOCK(status.st_mode) ? "socket"
                                        : "device",
             S_ISDIR(status.st_mode) ? "" : "regular ");
    return false;
}

/* A new file with its lock; -1 and errno. Between open and lock another run may have taken it for
 * abandoned: it holds the lock until it has removed the name, and then the file is made again. */
static int open_locked(const char *path)
{
    struct stat status;
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0)
            return -1;
        (void)!flock(fd, LOCK_EX); /* where there are no locks nothing is cleaned either */
        if (fstat(fd, &status) != 0 || status.st_nlink > 0)
            return fd;
        close(fd);
    }
}

static bool open_held(struct new_file *n, const char *path, char *error, size_t error_bytes)
{
    memset(n, 0, sizeof *n);
    if (!may_replace(path, error, error_bytes))
        return false;
    int length = snprintf(n->temporary, sizeof n->temporary, "%s.%ld.part", path, (long)getpid());
    int fd = -1;
    errno = ENAMETOOLONG;
    if (length > 0 && (size_t)length < sizeof n->temporary) {
        snprintf(n->path, sizeof n->path, "%s", path);
        clean_path(path);
        fd = open_locked(n->temporary);
    }
    n->file = fd < 0 ? NULL : fdopen(fd, "w+");
    if (!n->file) {
        snprintf(error, error_bytes,
                 "%s cannot be written (%s); give a folder that you may write to", path,
                 strerror(errno));
        if (fd >= 0) {
            unlink(n->temporary);
            close(fd);
        }
        return false;
    }
    remember(n);
    return true;
}

bool new_file_open(struct new_file *n, const char *path, char *error, size_t error_bytes)
{
    sigset_t before;
    hold_endings(&before);
    bool good = open_held(n, path, error, error_bytes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

bool new_file_possible(const char *path, char *error, size_t error_bytes)
{
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    new_file_drop(&n);
    return true;
}

/* ---- Closing --------------------------------------------------------------------------------- */

/* It stays open, and with that locked, until it is placed. */
bool new_file_finish(struct new_file *n, bool good, char *error, size_t error_bytes)
{
    errno = 0;
    good = fflush(n->file) == 0 && !ferror(n->file) && good;
    good = good && (fsync(fileno(n->file)) == 0 || errno == EINVAL); /* EINVAL: no fsync there */
    if (good)
        return true;
    snprintf(error, error_bytes, "%s could not be written (%s); is the disk full?", n->path,
             errno ? strerror(errno) : "what was to be written is not whole");
    new_file_drop(n);
    return false;
}

bool new_file_place(struct new_file *n, char *error, size_t error_bytes)
{
    if (!n->file)
        return true;
    bool good = may_replace(n->path, error, error_bytes);
    if (good && rename(n->temporary, n->path) != 0) {
        snprintf(error, error_bytes, "%s could not be written (%s); is the folder still there?",
                 n->path, strerror(errno));
        good = false;
    }
    if (!good) {
        new_file_drop(n);
        return false;
    }
    forget(n);
    fclose(n->file);
    n->file = NULL;
    return true;
}

void new_file_drop(struct new_file *n)
{
    if (!n->file)
        return;
    unlink(n->temporary);
    forget(n);
    fclose(n->file);
    n->file = NULL;
}

bool new_file_close(struct new_file *n, bool good, char *error, size_t error_bytes)
{
    return new_file_finish(n, good, error, error_bytes) && new_file_place(n, error, error_bytes);
}

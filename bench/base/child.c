/* child.c - another program that waits for orders.
 * SPDX-License-Identifier: MIT
 */
#include "child.h"

#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PADDING = 4096 };

/* Whether one of the assignments in `set` is to the name of this one. */
static bool is_replaced(const char *assignment, const char *const *set)
{
    size_t length = strcspn(assignment, "=") + 1;
    for (; set && *set; set++)
        if (strncmp(assignment, *set, length) == 0)
            return true;
    return false;
}

/* Our environment with the assignments of `set`; NULL: no memory. */
static char **new_environment(const char *const *set)
{
    size_t most = 1, count = 0;
    for (size_t i = 0; environ[i]; i++)
        most++;
    for (size_t i = 0; set && set[i]; i++)
        most++;
    char **all = malloc(most * sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; environ[i]; i++)
        if (!is_replaced(environ[i], set))
            all[count++] = environ[i];
    for (size_t i = 0; set && set[i]; i++)
        all[count++] = (char *)(uintptr_t)set[i];
    all[count] = NULL;
    return all;
}

static bool spawn(struct child *child, const char *const *argv, const char *const *set, int in,
                  int out)
{
    posix_spawn_file_actions_t actions;
    char **environment = new_environment(set);
    if (!environment || posix_spawn_file_actions_init(&actions) != 0) {
        free(environment);
        errno = ENOMEM;
        return false;
    }
    int problem = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (problem == 0)
        problem = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (problem == 0)
        problem = posix_spawnp(&child->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
                               environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    errno = problem;
    return problem == 0;
}

bool child_start(struct child *child, const char *const *argv, const char *const *set)
{
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    memset(child, 0, sizeof *child);
    signal(SIGPIPE, SIG_IGN); /* a child that has gone is an answer that does not come */
    /* Closed on exec: else one child would hold the other's input open, and none would ever end. */
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 ||
        !spawn(child, argv, set, to[0], from[1])) {
        int problem = errno;
        child->pid = 0;
        for (int i = 0; i < 2; i++) {
            close(to[i]);
            close(from[i]);
        }
        errno = problem;
        return false;
    }
    close(to[0]);
    close(from[1]);
    child->to = fdopen(to[1], "w");
    child->from = fdopen(from[0], "r");
    if (child->to && child->from)
        return true;
    int problem = errno;
    if (!child->to)
        close(to[1]);
    if (!child->from)
        close(from[0]);
    child_stop(child);
    errno = problem;
    return false;
}

bool child_start_padded(struct child *child, const char *const *argv, uint64_t *random)
{
    static char padding[MOST_PADDING + 32];
    int length = (int)(stats_random(random) % MOST_PADDING);
    snprintf(padding, sizeof padding, "MMK_PADDING=%*s", length, "");
    static char parent[sizeof CHILD_PARENT + 24];
    snprintf(parent, sizeof parent, CHILD_PARENT "=%ld", (long)getpid());
    const char *const set[] = {padding, parent, NULL};
    return child_start(child, argv, set);
}

bool child_start_into(struct child *child, const char *const *argv, int out)
{
    int to[2] = {-1, -1};
    memset(child, 0, sizeof *child);
    signal(SIGPIPE, SIG_IGN);
    bool good = pipe2(to, O_CLOEXEC) == 0 && spawn(child, argv, NULL, to[0], out);
    int problem = errno;
    close(to[0]);
    if (good && (child->to = fdopen(to[1], "w")) != NULL)
        return true;
    problem = good ? errno : problem;
    close(to[1]); /* at which it ends */
    if (!good)
        child->pid = 0;
    child_stop(child);
    errno = problem;
    return false;
}

bool child_stop(struct child *child)
{
    int status = 0;
    bool good = true;
    if (child->to)
        good = fclose(child->to) == 0;
    if (child->from)
        fclose(child->from);
    if (child->pid > 0)
        good = waitpid(child->pid, &status, 0) == child->pid && good && status == 0;
    memset(child, 0, sizeof *child);
    return good;
}

bool child_read(struct child *child, char *answer, size_t bytes)
{
    if (!child->from || !fgets(answer, (int)bytes, child->from))
        return false;
    answer[strcspn(answer, "\n")] = '\0';
    return true;
}

bool child_ask(struct child *child, const char *order, char *answer, size_t bytes)
{
    return child->to && fprintf(child->to, "%s\n", order) > 0 && fflush(child->to) == 0 &&
           child_read(child, answer, bytes);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum child_answer child_ask_within(struct child *child, const char *order, char *answer,
                                   size_t bytes, double seconds)
{
    if (!child->to || !child->from ||
        (order && (fprintf(child->to, "%s\n", order) < 0 || fflush(child->to) != 0)))
        return CHILD_GONE;
    double end = seconds_now() + seconds;
    struct pollfd ready = {.fd = fileno(child->from), .events = POLLIN};
    for (size_t used = 0;;) {
        double left = end - seconds_now();
        int found = left > 0 ? poll(&ready, 1, (int)(1e3 * left) + 1) : 0;
        if (found < 0 && errno == EINTR)
            continue;
        if (found <= 0)
            return CHILD_LATE;
        /* Behind an answer nothing follows before the next order. */
        ssize_t got = read(ready.fd, answer + used, order ? bytes - 1 - used : 1);
        if (got <= 0)
            return CHILD_GONE;
        used += (size_t)got;
        answer[used] = '\0';
        char *newline = memchr(answer, '\n', used);
        if (newline) {
            *newline = '\0';
            return CHILD_ANSWERED;
        }
        if (used + 1 == bytes) /* no answer that anybody would understand */
            return CHILD_GONE;
    }
}

void child_kill(struct child *child, char *how, size_t how_bytes)
{
    int status = 0;
    const struct timespec pause = {.tv_nsec = 20000000};
    snprintf(how, how_bytes, "it could not be started");
    if (child->pid > 0) {
        bool ended = waitpid(child->pid, &status, WNOHANG) == child->pid;
        if (!ended) { /* one that has just closed its pipe is still dying */
            nanosleep(&pause, NULL);
            ended = waitpid(child->pid, &status, WNOHANG) == child->pid;
        }
        if (!ended) {
            kill(child->pid, SIGKILL);
            waitpid(child->pid, &status, 0);
            snprintf(how, how_bytes, "it was ended");
        } else if (WIFSIGNALED(status)) {
            snprintf(how, how_bytes, "signal %d (%s)", WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
        } else {
            snprintf(how, how_bytes, "exit status %d", WEXITSTATUS(status));
        }
        child->pid = 0;
    }
    child_stop(child);
}

bool child_stop_within(struct child *child, double seconds)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    double end = seconds_now() + seconds;
    int status = 0;
    bool good = true, ended = child->pid <= 0;
    if (child->to)
        good = fclose(child->to) == 0;
    child->to = NULL;
    while (!ended && seconds_now() < end) {
        ended = waitpid(child->pid, &status, WNOHANG) == child->pid;
        if (!ended)
            nanosleep(&pause, NULL);
    }
    if (ended) {
        child->pid = 0;
    } else {
        kill(child->pid, SIGKILL);
        good = false;
    }
    return child_stop(child) && good && status == 0;
}

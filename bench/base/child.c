/* child.c - another program that waits for orders.
 * SPDX-License-Identifier: MIT
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    child_stop(child);
    return false;
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

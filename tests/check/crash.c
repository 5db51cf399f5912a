/* crash.c - runs the checks in a child process, so that a crash costs one check and no more.
 * SPDX-License-Identifier: MIT
 */
#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CRASHED = 86 }; /* exit status of a child whose handler ran */

static struct crash_note *current;
static char alternate[64 * 1024]; /* a stack for the handler: the fault may be a full stack */

void *crash_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        fprintf(stderr, "mmk-check: no shared memory: %s\n", strerror(errno));
        exit(2);
    }
    return p;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    current->signal = number;
    current->address = info->si_addr;
    _exit(CRASHED);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

bool crash_run(struct crash_note *note, void (*checks)(void *context, size_t first),
               void (*crashed)(void *context), void *context)
{
    size_t first = 1;
    pid_t parent = getpid();
    current = note;
    for (;;) {
        note->signal = 0;
        note->running = false;
        fflush(stdout);
        fflush(stderr);
        pid_t child = fork();
        if (child < 0) {
            fprintf(stderr, "mmk-check: cannot start a process: %s\n", strerror(errno));
            return false;
        }
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* for whom would it go on for minutes? */
            if (getppid() != parent)
                _exit(0);
            catch_signals();
            checks(context, first);
            fflush(stdout);
            _exit(0);
        }
        int status;
        while (waitpid(child, &status, 0) < 0)
            if (errno != EINTR)
                return false;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            return true;
        if (WIFSIGNALED(status))
            note->signal = WTERMSIG(status);
        else if (WEXITSTATUS(status) != CRASHED && !note->running)
            return false; /* it has said why */
        crashed(context);
        if (note->ordinal < first) {
            fprintf(stderr, "mmk-check: crashed outside of any check\n");
            return false;
        }
        first = note->ordinal + 1;
    }
}

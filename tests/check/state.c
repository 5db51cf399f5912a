/* state.c - what a call must leave as it was, beside memory.
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "state.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An errno that no call here sets. */
enum { STRANGE_ERROR = EXDEV };

/* The states that callers have: the default, another rounding, denormals switched off. */
static void set_fp(size_t number)
{
    static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_TOWARDZERO, FE_DOWNWARD};
    fesetenv(FE_DFL_ENV);
    fesetround(roundings[number >> 8 & 3]);
    if ((number >> 10 & 1) == 0)
        return;
#if defined(__x86_64__)
    struct fp_state state = fp_state_read();
    state.control |= 0x8040; /* flush to zero, denormals are zero */
    fp_state_write(&state);
#elif defined(__aarch64__)
    struct fp_state state = fp_state_read();
    state.control |= 1 << 24;
    fp_state_write(&state);
#endif
}

static void state_read(struct state *s)
{
    s->error = errno;
    s->fp = fp_state_read();
    pthread_sigmask(SIG_BLOCK, NULL, &s->signals);
    if (sched_getaffinity(0, sizeof s->cpus, &s->cpus) != 0)
        CPU_ZERO(&s->cpus);
    s->descriptor = dup(STDERR_FILENO);
    if (s->descriptor >= 0)
        close(s->descriptor);
}

void state_before(struct state *before, size_t number, bool keep_default)
{
    memset(before, 0, sizeof *before);
    state_read(before);
    set_fp(keep_default ? 0 : number);
    before->fp = fp_state_read();
    before->error = errno = STRANGE_ERROR;
}

static bool same_fp(struct fp_state a, struct fp_state b, bool keep_default)
{
#if defined(__x86_64__)
    uint32_t looked_at = keep_default ? ~FP_STATE_FLAGS : ~0u;
    return ((a.control ^ b.control) & looked_at) == 0;
#elif defined(__aarch64__)
    return a.control == b.control && (keep_default || a.flags == b.flags);
#else
    (void)a, (void)b, (void)keep_default;
    return true;
#endif
}

bool state_changed(const struct state *before, bool keep_default, char *how, size_t size)
{
    struct state after = {0};
    state_read(&after);
    fesetenv(FE_DFL_ENV);
    errno = 0;
    const char *what = NULL;
    if (!same_fp(before->fp, after.fp, keep_default))
        what = "the floating-point state";
    else if (after.error != before->error)
        what = "errno";
    else if (memcmp(&before->signals, &after.signals, sizeof after.signals) != 0)
        what = "the mask of signals";
    else if (memcmp(&before->cpus, &after.cpus, sizeof after.cpus) != 0)
        what = "the CPUs that the thread may run on";
    else if (before->descriptor != after.descriptor)
        what = "the open descriptors";
    if (what == NULL)
        return false;
    snprintf(how, size, "%s differed after the call", what);
    return true;
}

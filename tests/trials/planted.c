/* planted.c - an mmk-bench whose kernels are slower, wrong, or do not come back, as MMK_PLANT says.
 * SPDX-License-Identifier: MIT
 *
 * What the gate is tried with: linked with --wrap=variant_call. MMK_PLANT is "kernel:what", what
 * being a number of percent by which each call is slower, or crash, hang or wrong. Without it
 * some bytes of the program's own file say it (tests/trials/gate writes them): two such files are
 * the same program but for these, which a program without the wrapper is not (half a nanosecond a
 * call).
 */
#include "../../bench/machine/timer.h"
#include "../../bench/timing/variants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEARNED_FROM = 3 };
#define CLOCK_SECONDS 25e-9 /* of reading the clock */

/* 57 places for the plant. */
static char in_file[] = "plant=none:0                                                   @";

enum mmk_status __real_variant_call(const struct variant *variant, struct trial *trial);
enum mmk_status __wrap_variant_call(const struct variant *variant, struct trial *trial);

/* Returns what it took, which is a little more. */
static double spin(double seconds)
{
    double start = timer_now(), now;
    do
        now = timer_now();
    while (now < start + seconds);
    return now - start + CLOCK_SECONDS;
}

/* Of the calls with the same data the fastest of the first few is what the percentage is of; of
 * brief calls batches are timed. */
static enum mmk_status call_slower(double part, const struct variant *variant, struct trial *trial)
{
    static const void *data;
    static double least, owed;
    static int seen;
    enum mmk_status status;
    if (data != trial->buffer[0].data) {
        data = trial->buffer[0].data;
        seen = 0;
        least = INFINITY;
        owed = 0.0;
    }
    if (seen < LEARNED_FROM) {
        int batch = 1;
        double start, taken;
        do {
            start = timer_now();
            for (int i = 0; i < batch; i++)
                status = __real_variant_call(variant, trial);
            taken = timer_now() - start;
            batch *= 2;
        } while (taken < 20e-6);
        least = fmin(least, taken / (batch / 2));
        seen++;
        return status;
    }
    status = __real_variant_call(variant, trial);
    /* Reading the clock takes some 25 ns: less is saved up. */
    owed += part * least;
    if (owed > 1e-6) {
        owed -= spin(owed);
    }
    return status;
}

enum mmk_status __wrap_variant_call(const struct variant *variant, struct trial *trial)
{
    static char name[64], what[16];
    static bool known;
    if (!known) { /* once: a look takes as long as a brief call */
        const char *plant = getenv("MMK_PLANT");
        known = true;
        if (!plant)
            plant = in_file + sizeof "plant=" - 1;
        if (sscanf(plant, "%63[^:]:%15s", name, what) != 2)
            name[0] = '\0';
    }
    if (!variant->row || strcmp(name, trial->kernel->name) != 0)
        return __real_variant_call(variant, trial);
    if (strcmp(what, "crash") == 0)
        abort();
    while (strcmp(what, "hang") == 0) {
    }
    if (strcmp(what, "wrong") != 0) {
        static double part = -1.0;
        part = part < 0.0 ? atof(what) / 100.0 : part;
        return call_slower(part, variant, trial);
    }
    enum mmk_status status = __real_variant_call(variant, trial);
    for (int b = 0; b < trial->buffer_count; b++)
        if (trial->buffer[b].output)
            memset(trial->buffer[b].data, 0x41, sizeof(float));
    return status;
}

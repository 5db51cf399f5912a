/* planted.c - an mmk-bench whose kernels are slower, wrong, or do not come back, as MMK_PLANT says.
 * SPDX-License-Identifier: MIT
 *
 * What the gate is tried with: linked with --wrap=variant_call. MMK_PLANT is "kernel:what", what
 * being a number of percent by which each call is slower, or crash, hang or wrong.
 */
#include "../../bench/machine/timer.h"
#include "../../bench/timing/variants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEARNED_FROM = 20 };

enum mmk_status __real_variant_call(const struct variant *variant, struct trial *trial);
enum mmk_status __wrap_variant_call(const struct variant *variant, struct trial *trial);

static void spin(double seconds)
{
    double end = timer_now() + seconds;
    while (timer_now() < end) {
    }
}

/* Of the calls with the same data the fastest of the first few is what the percentage is of; of brief
 * calls batches are timed. */
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
        spin(owed);
        owed = 0.0;
    }
    return status;
}

enum mmk_status __wrap_variant_call(const struct variant *variant, struct trial *trial)
{
    const char *plant = getenv("MMK_PLANT");
    const char *what = plant ? strchr(plant, ':') : NULL;
    if (!what || !variant->row || strlen(trial->kernel->name) != (size_t)(what - plant) ||
        strncmp(plant, trial->kernel->name, (size_t)(what - plant)) != 0)
        return __real_variant_call(variant, trial);
    what++;
    if (strcmp(what, "crash") == 0)
        abort();
    while (strcmp(what, "hang") == 0) {
    }
    if (strcmp(what, "wrong") != 0)
        return call_slower(atof(what) / 100.0, variant, trial);
    enum mmk_status status = __real_variant_call(variant, trial);
    for (int b = 0; b < trial->buffer_count; b++)
        if (trial->buffer[b].output)
            memset(trial->buffer[b].data, 0x41, sizeof(float));
    return status;
}

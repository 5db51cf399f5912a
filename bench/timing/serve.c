/* serve.c - the side of the gate that is timed.
 * SPDX-License-Identifier: MIT
 */
#include "serve.h"

#include "../base/child.h"
#include "../base/fresh.h"
#include "job.h"
#include "variants.h"

#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LINE = 512 };

struct served {
    bool open;
    struct job job;
    struct plan plan;
    struct run run;
    const struct variant *variant;
    struct pace pace;
    int threads;
    size_t samples; /* so far: where the next begins in the rotation */
};

static void close_served(struct served *s)
{
    if (!s->open)
        return;
    job_close(&s->job);
    plan_free(&s->plan);
    run_free(&s->run);
    timer_unpin();
    memset(s, 0, sizeof *s);
}

static void serve_open(struct served *s, const char *line, uint64_t *state)
{
    char kernel[64], shape[128], variant[32], how[16] = "", error[400];
    int threads;
    unsigned long long seed;
    close_served(s);
    if (sscanf(line, "open %63s %127s %d %31s %llu %15s", kernel, shape, &threads, variant, &seed,
               how) < 5) {
        printf("none the order is not understood\n");
        return;
    }
    struct plan_options options = {.kernel = kernel, .shape = shape, .threads = threads};
    fresh_begin(state);
    run_init(&s->run);
    s->variant = variants_find(variant);
    if (!s->variant || !plan_make(&s->plan, &options, &s->run, error, sizeof error)) {
        printf("none it has no such kernel, shape or variant\n");
        return;
    }
    if (!job_open(&s->job, &s->plan.cases[0], seed, error, sizeof error)) {
        plan_free(&s->plan);
        printf("none %s\n", error);
        return;
    }
    s->open = true;
    struct column column = {.calls = 1};
    bool checked = strcmp(how, "unchecked") != 0;
    if (checked)
        job_oracle(&s->job, false);
    variant_select(s->variant);
    bool ready = variant_prepare(s->variant, &s->job.trial, error, sizeof error);
    if (!ready || (checked && !job_check(&s->job, s->variant, &column))) {
        printf("failed %.300s\n", ready ? column.note : error);
        close_served(s);
        return;
    }
    fresh_end();
    s->threads = threads;
    if (threads == 1)
        timer_pin();
    else
        timer_wait_for_idle_threads();
    s->pace = job_calibrate(&s->job, s->variant, 200e-6);
    const struct plan_case *c = &s->plan.cases[0];
    printf("ready %zu anew %.9g %.9g\n", s->pace.calls, c->kernel->flops(&c->shape),
           c->kernel->bytes(&c->shape));
}

int serve_orders(void)
{
    struct served served;
    memset(&served, 0, sizeof served);
    char line[LINE];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it may be in a call that does not come back */
    const char *parent = getenv(CHILD_PARENT);
    if (parent && strtol(parent, NULL, 10) != (long)getppid())
        return EXIT_FAILURE; /* who gave orders has gone */
    uint64_t state = (uint64_t)(1e9 * timer_now());
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "open ", 5) == 0) {
            serve_open(&served, line, &state);
        } else if (served.open && sscanf(line, "sample %zu", &served.pace.calls) == 1) {
            enum disturbance disturbance;
            double seconds = job_sample(&served.job, served.variant, served.pace, served.samples++,
                                        &disturbance);
            /* OpenMP's threads spin for a while, and would take the CPUs from the other program. */
            if (served.threads > 1)
                timer_wait_for_idle_threads();
            printf("%.9e %d\n", seconds, (int)disturbance);
        } else {
            printf("none the order is not understood\n");
        }
        fflush(stdout);
    }
    close_served(&served);
    return 0;
}

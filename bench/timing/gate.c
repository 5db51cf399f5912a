/* gate.c - whether this build is slower than a baseline binary.
 * SPDX-License-Identifier: MIT
 *
 * Stored numbers are no judge: the machine of that day is gone. Both programs are started as
 * children that wait for orders, and samples are asked of them in turn, in random order, paired by
 * round. They are started anew several times, because where a process happens to lie in memory is
 * worth some percent.
 */
#include "gate.h"

#include "../base/child.h"
#include "../base/stats.h"
#include "job.h"
#include "variants.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAUNCHES = 4, MAX_ROUNDS = 40, LEAST_GATE_ROUNDS = 3, LINE = 512 };

/* Slower by more than this is a regression; two builds of one source differ by about half of it. */
static const double tolerance = 1.02;

/* ---- The child ------------------------------------------------------------------------------- */

struct served {
    bool open;
    struct job job;
    struct plan plan;
    struct run run;
    const struct variant *variant;
    struct pace pace;
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

static const struct variant *find_variant(const char *name)
{
    const struct variant *list;
    size_t count = variants_list(&list);
    for (size_t v = 0; v < count; v++)
        if (strcmp(list[v].name, name) == 0)
            return &list[v];
    return NULL;
}

static void serve_open(struct served *s, const char *line)
{
    char kernel[64], shape[128], variant[32], error[400];
    int threads;
    unsigned long long seed;
    close_served(s);
    if (sscanf(line, "open %63s %127s %d %31s %llu", kernel, shape, &threads, variant, &seed) !=
        5) {
        printf("none the order is not understood\n");
        return;
    }
    struct plan_options options = {.kernel = kernel, .shape = shape, .threads = threads};
    run_init(&s->run);
    s->variant = find_variant(variant);
    if (!s->variant || !plan_make(&s->plan, &options, &s->run, error, sizeof error)) {
        printf("none no such kernel, shape or variant\n");
        return;
    }
    if (!job_open(&s->job, &s->plan.cases[0], seed, error, sizeof error)) {
        plan_free(&s->plan);
        printf("none %s\n", error);
        return;
    }
    s->open = true;
    struct column column = {.calls = 1};
    job_oracle(&s->job, false);
    variant_select(s->variant);
    bool ready = variant_prepare(s->variant, &s->job.trial, error, sizeof error);
    if (!ready || !job_check(&s->job, s->variant, &column)) {
        printf("failed %.300s\n", ready ? column.note : error);
        close_served(s);
        return;
    }
    if (threads == 1)
        timer_pin();
    s->pace = job_calibrate(&s->job, s->variant, 200e-6);
    printf("ready %zu\n", s->pace.calls);
}

int gate_serve(void)
{
    struct served served;
    memset(&served, 0, sizeof served);
    char line[LINE];
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "open ", 5) == 0) {
            serve_open(&served, line);
        } else if (served.open && sscanf(line, "sample %zu", &served.pace.calls) == 1) {
            enum disturbance disturbance;
            double seconds = job_sample(&served.job, served.variant, served.pace, served.samples++,
                                        &disturbance);
            printf("%.9e %d\n", seconds, (int)disturbance);
        } else {
            printf("none the order is not understood\n");
        }
        fflush(stdout);
    }
    close_served(&served);
    return 0;
}

/* ---- The parent ------------------------------------------------------------------------------ */

static bool start(struct child *child, const char *program)
{
    const char *const argv[] = {program, "--serve", NULL};
    return child_start(child, argv, NULL);
}

/* Seconds of one sample, NaN when it was void. False: the child is gone. */
static bool ask_sample(struct child *child, size_t calls, double *seconds)
{
    char order[64], answer[LINE];
    int disturbance;
    snprintf(order, sizeof order, "sample %zu", calls);
    if (!child_ask(child, order, answer, sizeof answer) ||
        sscanf(answer, "%lf %d", seconds, &disturbance) != 2)
        return false;
    if (disturbance != UNDISTURBED)
        *seconds = NAN;
    return true;
}

/* One comparison: rounds of both programs, new and old seconds side by side. */
struct comparison_samples {
    double old_seconds[LAUNCHES * MAX_ROUNDS], new_seconds[LAUNCHES * MAX_ROUNDS];
    size_t count;
};

static bool run_launch(struct child *old_child, struct child *new_child, size_t calls,
                       double seconds, struct comparison_samples *samples, uint64_t *state)
{
    double start = timer_now();
    for (size_t round = 0; round < MAX_ROUNDS; round++) {
        if (round >= LEAST_GATE_ROUNDS && timer_now() - start > seconds)
            break;
        double *old_slot = &samples->old_seconds[samples->count];
        double *new_slot = &samples->new_seconds[samples->count];
        bool old_first = stats_random(state) & 1;
        if (!(old_first
                  ? ask_sample(old_child, calls, old_slot) && ask_sample(new_child, calls, new_slot)
                  : ask_sample(new_child, calls, new_slot) &&
                        ask_sample(old_child, calls, old_slot)))
            return false;
        samples->count++;
    }
    return true;
}

/* "" when all went well, else why this case says nothing; `failed` when the new build is wrong. */
static void compare_case(const char *baseline, const char *order, double seconds,
                         struct comparison_samples *samples, uint64_t *state, char *why,
                         size_t why_bytes, bool *failed)
{
    why[0] = '\0';
    *failed = false;
    samples->count = 0;
    for (int launch = 0; launch < LAUNCHES && !why[0]; launch++) {
        struct child children[2];
        memset(children, 0, sizeof children);
        char old_answer[LINE] = "none it does not run", new_answer[LINE] = "none it does not run";
        if (start(&children[0], baseline) && start(&children[1], "/proc/self/exe")) {
            child_ask(&children[0], order, old_answer, sizeof old_answer);
            child_ask(&children[1], order, new_answer, sizeof new_answer);
        }
        size_t old_calls = 0, new_calls = 0;
        bool old_ready = sscanf(old_answer, "ready %zu", &old_calls) == 1;
        bool new_ready = sscanf(new_answer, "ready %zu", &new_calls) == 1;
        /* Both take equally many calls, as the faster one needs for its sample. */
        size_t calls = old_calls > new_calls ? old_calls : new_calls;
        if (strncmp(new_answer, "failed", 6) == 0) {
            snprintf(why, why_bytes, "FAILED CHECK: %.480s", new_answer + 7);
            *failed = true;
        } else if (!old_ready) {
            snprintf(why, why_bytes, "the baseline cannot: %s", old_answer);
        } else if (!new_ready) {
            snprintf(why, why_bytes, "this build cannot: %s", new_answer);
        } else if (!run_launch(&children[0], &children[1], calls, seconds / LAUNCHES, samples,
                               state)) {
            snprintf(why, why_bytes, "one of the programs ended");
        }
        child_stop(&children[0]);
        child_stop(&children[1]);
    }
}

static enum gate_verdict judge(const struct estimate *ratio)
{
    if (ratio->n < 6)
        return GATE_INCONCLUSIVE;
    if (ratio->low > tolerance)
        return GATE_REGRESSED;
    return ratio->high <= tolerance ? GATE_PASS : GATE_INCONCLUSIVE;
}

enum gate_verdict gate_run(FILE *out, const char *baseline, const struct plan *plan,
                           const char *const *variants, size_t variant_count, double seconds,
                           uint64_t seed, char *error, size_t error_bytes)
{
    static const char *const names[] = {"PASS", "REGRESSED", "INCONCLUSIVE"};
    size_t tally[3] = {0, 0, 0}, without = 0;
    uint64_t state = seed;
    struct comparison_samples *samples = calloc(1, sizeof *samples);
    char *program = realpath(baseline, NULL); /* with a /: it is not looked for in PATH */
    if (!samples || !program || access(program, X_OK) != 0) {
        free(samples);
        free(program);
        snprintf(error, error_bytes,
                 "--gate %s: it cannot be run (%s); give the path of an mmk-bench "
                 "that was built from the baseline",
                 baseline, strerror(errno));
        return GATE_ERROR;
    }
    fprintf(out, "%-26s %-22s %-16s %-28s %6s  %s\n", "kernel", "shape", "variant",
            "time over baseline", "rounds", "verdict");
    double share = seconds / (double)(plan->count * variant_count);
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t v = 0; v < variant_count; v++) {
            const struct plan_case *c = &plan->cases[i];
            char shape[96], text[96], order[256], why[LINE], range[64];
            bool failed;
            shape_write_word(c, shape, sizeof shape);
            shape_write(c, text, sizeof text);
            snprintf(order, sizeof order, "open %s %s %d %s %llu", c->kernel->name, shape,
                     c->threads, variants[v], (unsigned long long)seed);
            compare_case(program, order, share, samples, &state, why, sizeof why, &failed);
            fprintf(out, "%-26s %-22s %-16s ", c->kernel->name, text, variants[v]);
            if (why[0]) {
                fprintf(out, "%s\n", why);
                tally[GATE_REGRESSED] += failed;
                without += !failed;
                continue;
            }
            struct estimate ratio =
                stats_paired_ratio(samples->new_seconds, samples->old_seconds, samples->count);
            enum gate_verdict verdict = judge(&ratio);
            snprintf(range, sizeof range, "%.3f [%.3f, %.3f]", ratio.median, ratio.low, ratio.high);
            fprintf(out, "%-28s %6zu  %s\n", range, ratio.n, names[verdict]);
            fflush(out);
            tally[verdict]++;
        }
    }
    free(samples);
    free(program);
    enum gate_verdict verdict = tally[GATE_REGRESSED]      ? GATE_REGRESSED
                                : tally[GATE_INCONCLUSIVE] ? GATE_INCONCLUSIVE
                                : tally[GATE_PASS]         ? GATE_PASS
                                                           : GATE_INCONCLUSIVE;
    fprintf(out,
            "\n%s: %zu passed, %zu regressed by more than %.0f %%, %zu inconclusive, %zu without a "
            "comparison\n",
            names[verdict], tally[GATE_PASS], tally[GATE_REGRESSED], 100.0 * (tolerance - 1.0),
            tally[GATE_INCONCLUSIVE], without);
    return verdict;
}

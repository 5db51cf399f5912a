/* memory.c - how much memory a call takes, measured in a process that does nothing else.
 * SPDX-License-Identifier: MIT
 *
 * A child opens the case, makes the call, and reads VmHWM, the most that was resident since it
 * began. (ru_maxrss will not do: it outlives exec, and would be that of mmk-bench.) Of a peer that
 * is a process of its own, a child of the child, that one counts.
 */
#include "../base/child.h"
#include "../base/text.h"
#include "../machine/resident.h"
#include "../timing/job.h"
#include "curve.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the time for memory, what one point of another library may take. */
#define PEER_SHARE 0.08

static double data_bytes(const struct plan_case *c)
{
    struct trial trial;
    memset(&trial, 0, sizeof trial);
    trial.kernel = c->kernel;
    trial.shape = c->shape;
    c->kernel->layout(&trial);
    double bytes = 0.0;
    for (int b = 0; b < trial.buffer_count; b++)
        bytes += (double)buffer_bytes(&trial.buffer[b]);
    return bytes;
}

/* ---- The child ------------------------------------------------------------------------------- */

/* Of the process that makes the variant's calls: this one, or its only child. */
static double most_resident(const struct variant *variant)
{
    char path[64], child[16] = "self";
    if (!variant->peer || !variant->peer->run)
        return resident_most("self");
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%15s", child) != 1)
        child[0] = '\0';
    if (file)
        fclose(file);
    return resident_most(child);
}

/* Makes the call, and says on stdout what memory and time it took, or what went wrong. */
static bool call(struct trial *trial, const struct plan_case *c, const struct variant *variant)
{
    char error[ERROR_BYTES];
    bool elsewhere = variant->peer && variant->peer->run; /* where the data is not yet */
    double program = most_resident(variant) - (elsewhere ? 0.0 : data_bytes(c));
    omp_set_num_threads(c->threads);
    variant_select(variant);
    if (!variant_prepare(variant, trial, error, sizeof error)) {
        printf("%s\n", error);
        return false;
    }
    double start = timer_now();
    enum mmk_status status = variant_call(variant, trial);
    double seconds = timer_now() - start;
    if (status == MMK_OK) {
        printf("%.0f bytes resident at most, %.0f of them the program, %.6f s\n",
               most_resident(variant), program, seconds);
        return true;
    }
    if (variant->peer) /* no call of ours */
        snprintf(error, sizeof error, "%s", mmk_status_string(status));
    else
        text_status(status, error, sizeof error);
    printf("the call returned an error: %s\n", error);
    return false;
}

bool curve_call(const struct plan_case *c, const struct variant *variant, uint64_t seed)
{
    struct trial trial;
    size_t bytes, logits;
    if (!job_workspace(c, &bytes, &logits) ||
        !trial_open(&trial, c->kernel, &c->shape, c->fill, seed)) {
        printf("no memory for this shape\n");
        return false;
    }
    trial_fill(&trial);
    trial.options.threads = c->threads;
    /* Without room for logits the function allocates, as it does for whoever passes no workspace. A
     * page of a workspace that is not used is not resident. */
    void *workspace = logits > 0 ? malloc(bytes) : NULL;
    bool good = logits == 0 || workspace;
    if (workspace) {
        trial.options.workspace = workspace;
        trial.options.workspace_bytes = bytes;
    }
    if (good)
        good = call(&trial, c, variant);
    else
        printf("no memory for a workspace of %.3g GB\n", 1e-9 * (double)bytes);
    free(workspace);
    trial_close(&trial);
    return good;
}

/* ---- The parent ------------------------------------------------------------------------------ */

/* A kernel in one mode by one variant. What its last point took tells what the next one will. */
struct series {
    const char *kernel;
    int workspace;
    const char *isa, *peer; /* one of them */
    size_t batch;
    double call_seconds, other_seconds, beyond_bytes;
    bool failed; /* and so would larger ones */
};

/* Runs a child on the case; `line` is the last that it printed. */
static void run_child(const struct series *series, const struct plan_case *c, uint64_t seed,
                      char *line, size_t line_bytes)
{
    char shape[128], threads[16], seed_text[24];
    shape_write_word(c, shape, sizeof shape);
    snprintf(threads, sizeof threads, "%d", c->threads);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    const char *const argv[] = {"/proc/self/exe",
                                "--once",
                                c->kernel->name,
                                series->peer ? "--peers" : "--isa",
                                series->peer ? series->peer : series->isa,
                                "--shape",
                                shape,
                                "--threads",
                                threads,
                                "--seed",
                                seed_text,
                                NULL};
    struct child child;
    snprintf(line, line_bytes, "its process ended without a word: out of memory?");
    if (!child_start(&child, argv, NULL)) {
        snprintf(line, line_bytes, "no process could be started");
        return;
    }
    while (child_read(&child, line, line_bytes))
        continue;
    child_stop(&child);
}

/* Takes a series on to a larger batch: time and memory of a call grow with the logits. */
static double expected_seconds(struct series *series, size_t batch)
{
    double ratio = series->batch > 0 ? (double)batch / (double)series->batch : 1.0;
    series->batch = batch;
    series->call_seconds *= ratio * ratio;
    series->beyond_bytes *= ratio * ratio;
    return series->call_seconds + series->other_seconds;
}

/* Whether there is memory and time for a point; else why not. */
static bool is_possible(const struct series *series, const struct plan_case *c, double data,
                        double expected, double seconds, char *note, size_t note_bytes)
{
    double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    size_t workspace = 0, logits = 0;
    job_workspace(c, &workspace, &logits);
    double needed = data + (series->peer ? series->beyond_bytes : (double)workspace);
    if (needed > 0.7 * there) {
        snprintf(note, note_bytes, "would need about %.1f GB of this machine's %.1f GB",
                 1e-9 * needed, 1e-9 * there);
        return false;
    }
    if (expected > seconds) {
        snprintf(note, note_bytes, "would take about %.0f s, too long for this run's --seconds",
                 ceil(expected));
        return false;
    }
    return true;
}

/* Adds the next point of a series, of at most `seconds`. False: no memory. */
static bool measure(struct run *run, struct series *series, const struct plan_case *c,
                    uint64_t seed, double seconds, void (*progress)(const char *what))
{
    char text[192], shape[96], line[160];
    struct memory *m = run_add_memory(run);
    if (!m)
        return false;
    snprintf(m->kernel, sizeof m->kernel, "%s", c->kernel->name);
    snprintf(m->variant, sizeof m->variant, "%s", series->peer ? series->peer : series->isa);
    m->workspace = series->workspace;
    m->m = c->shape.m;
    m->d = c->shape.d;
    m->threads = c->threads;
    m->data_bytes = data_bytes(c);
    m->logits_bytes = (double)sizeof(float) * (double)c->shape.m * (double)c->shape.n;
    double expected = expected_seconds(series, c->shape.m);
    if (!is_possible(series, c, m->data_bytes, expected, seconds, m->note, sizeof m->note))
        return true;
    shape_write(c, shape, sizeof shape);
    snprintf(text, sizeof text, "%s %s, %s: memory, about %.0f s", c->kernel->name, shape,
             m->variant, ceil(expected));
    progress(text);
    double start = timer_now();
    run_child(series, c, seed, line, sizeof line);
    if (sscanf(line, "%lf bytes resident at most, %lf of them the program, %lf s", &m->peak_bytes,
               &m->program_bytes, &m->seconds) != 3) {
        m->peak_bytes = m->program_bytes = 0.0;
        snprintf(m->note, sizeof m->note, "%s", line);
        series->failed = true;
        return true;
    }
    series->call_seconds = m->seconds;
    series->other_seconds = timer_now() - start - m->seconds;
    series->beyond_bytes = m->peak_bytes - m->program_bytes - m->data_bytes;
    return true;
}

bool curve_memory(struct run *run, const struct curve_options *options, const char *isa,
                  const char *const *peers, size_t peer_count, uint64_t seed, double seconds,
                  void (*progress)(const char *what))
{
    struct series series[CURVE_MOST_PEERS + 3] = {
        {.kernel = "infonce_forward_backward", .workspace = WORKSPACE_STREAMED, .isa = isa},
        {.kernel = "infonce_forward_backward", .workspace = WORKSPACE_STORED, .isa = isa},
        {.kernel = "infonce_forward", .workspace = WORKSPACE_NONE, .isa = isa},
    };
    size_t count = 3;
    for (size_t p = 0; p < peer_count && p < CURVE_MOST_PEERS; p++)
        series[count++] = (struct series){
            .kernel = "infonce_forward_backward", .workspace = WORKSPACE_NONE, .peer = peers[p]};
    double start = timer_now();
    size_t least = options->smoke ? 256 : 1024;
    size_t most = options->smoke ? 512 : options->all ? 131072 : 65536;
    size_t step = options->smoke || options->all ? 2 : 4;
    for (size_t batch = least; batch <= most; batch *= step) {
        for (size_t i = 0; i < count; i++) {
            struct plan_case c = {.kernel = kernel_find(series[i].kernel),
                                  .fill = FILL_NORMAL,
                                  .threads = options->threads ? options->threads : options->cpus,
                                  .workspace = series[i].workspace == WORKSPACE_STORED
                                                   ? WORKSPACE_STORED
                                                   : WORKSPACE_STREAMED};
            c.shape = c.kernel->bench[0];
            c.shape.m = c.shape.n = batch;
            c.shape.d = options->dim ? options->dim : CURVE_DIM;
            double left = seconds - (timer_now() - start);
            if (series[i].peer) /* so that they leave enough for our own large batches */
                left = fmin(left, PEER_SHARE * seconds);
            if (!series[i].failed && !measure(run, &series[i], &c, seed, left, progress))
                return false;
        }
    }
    return true;
}

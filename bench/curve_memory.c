/* curve_memory.c - how much memory a call takes, measured in a process that does nothing else.
 * SPDX-License-Identifier: MIT
 *
 * A child opens the case, makes the call, and reads VmHWM, the most that was resident since it
 * began. (ru_maxrss will not do: it outlives exec, and would be that of mmk-bench.) A peer in
 * another process is a child of the child; of both the larger counts.
 */
#include "curve.h"

#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The child ------------------------------------------------------------------------------ */

static double high_water_mark(const char *process)
{
    char path[64], line[128];
    double kilobytes = 0.0;
    snprintf(path, sizeof path, "/proc/%s/status", process);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return 1024.0 * kilobytes;
}

/* Of this process, or of a child that has more. */
static double most_resident(void)
{
    double most = high_water_mark("self");
    char path[64], child[16];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    while (file && fscanf(file, "%15s", child) == 1)
        most = fmax(most, high_water_mark(child));
    if (file)
        fclose(file);
    return most;
}

int curve_call(const struct plan_case *c, const struct variant *variant, uint64_t seed)
{
    struct trial trial;
    size_t bytes, logits;
    void *workspace = NULL;
    if (!job_workspace(c, &bytes, &logits) ||
        !trial_open(&trial, c->kernel, &c->shape, c->fill, seed)) {
        printf("no memory for this shape\n");
        return 2;
    }
    trial_fill(&trial);
    trial.options.threads = c->threads;
    /* Without room for logits the function allocates as it does for whoever passes no workspace;
     * a page of the workspace that it does not use is not resident. */
    if (logits > 0 && !(workspace = malloc(bytes))) {
        printf("no memory for a workspace of %.3g GB\n", 1e-9 * (double)bytes);
        trial_close(&trial);
        return 2;
    }
    if (workspace) {
        trial.options.workspace = workspace;
        trial.options.workspace_bytes = bytes;
    }
    omp_set_num_threads(c->threads);
    variant_select(variant);
    double before = most_resident(), start = timer_now();
    enum mmk_status status = variant_call(variant, &trial);
    double seconds = timer_now() - start;
    if (status == MMK_OK)
        printf("before %.0f bytes, after %.0f bytes resident at most, call %.6f s\n", before,
               most_resident(), seconds);
    else
        printf("the call returned an error: %s\n", mmk_status_string(status));
    free(workspace);
    trial_close(&trial);
    return status == MMK_OK ? 0 : 2;
}

/* ---- The parent ----------------------------------------------------------------------------- */

/* Runs a child on the case; `line` is the last that it printed, or what became of it. */
static void run_child(const struct plan_case *c, const char *variant, uint64_t seed, char *line,
                      size_t line_bytes)
{
    char shape[128], threads[16], seed_text[24];
    plan_shape_word(c, shape, sizeof shape);
    snprintf(threads, sizeof threads, "%d", c->threads);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    int output[2], status = 0;
    line[0] = '\0';
    fflush(NULL); /* else the child would have a copy of what is not written yet */
    if (pipe2(output, O_CLOEXEC) != 0) {
        snprintf(line, line_bytes, "no pipe: %s", strerror(errno));
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(output[1], STDOUT_FILENO);
        dup2(output[1], STDERR_FILENO);
        execl("/proc/self/exe", "mmk-bench", "--once", c->kernel->name, "--isa", variant, "--shape",
              shape, "--threads", threads, "--seed", seed_text, (char *)NULL);
        _exit(127);
    }
    close(output[1]);
    FILE *from = fdopen(output[0], "r");
    while (from && fgets(line, (int)line_bytes, from))
        line[strcspn(line, "\n")] = '\0';
    if (from)
        fclose(from);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        snprintf(line, line_bytes, "no process: %s", strerror(errno));
    else if (WIFSIGNALED(status))
        snprintf(line, line_bytes, "the process died of signal %d%s", WTERMSIG(status),
                 WTERMSIG(status) == SIGKILL ? ": out of memory?" : "");
}

/* A kernel in one mode by one variant; the time of its last point tells that of the next. */
struct series {
    const char *kernel;
    int workspace;
    const struct variant *variant;
    double seconds;
    bool failed; /* and so would larger ones */
};

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

/* Whether the next point of the series, of four times as many logits as the last, can be measured;
 * else why not. */
static bool is_possible(struct series *series, const struct plan_case *c, double data,
                        double seconds, char *note, size_t note_bytes)
{
    series->seconds *= 4.0;
    double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    size_t workspace = 0, logits = 0;
    job_workspace(c, &workspace, &logits);
    double needed = data + (double)workspace;
    if (needed > 0.7 * there) {
        snprintf(note, note_bytes, "would need about %.1f GB of this machine's %.1f GB",
                 1e-9 * needed, 1e-9 * there);
        return false;
    }
    if (series->seconds > seconds) {
        snprintf(note, note_bytes, "would take about %.0f s, too long for this run's --seconds",
                 series->seconds);
        return false;
    }
    return true;
}

static bool measure(struct run *run, struct series *series, struct plan_case *c, uint64_t seed,
                    double seconds, void (*progress)(const char *what))
{
    char text[128], shape[96], line[160];
    struct memory *m = run_add_memory(run);
    if (!m)
        return false;
    snprintf(m->kernel, sizeof m->kernel, "%s", c->kernel->name);
    snprintf(m->variant, sizeof m->variant, "%s", series->variant->name);
    m->workspace = c->workspace;
    m->m = c->shape.m;
    m->d = c->shape.d;
    m->threads = c->threads;
    m->data_bytes = data_bytes(c);
    m->logits_bytes = (double)sizeof(float) * (double)c->shape.m * (double)c->shape.n;
    if (!is_possible(series, c, m->data_bytes, seconds, m->note, sizeof m->note))
        return true;
    plan_shape_text(c, shape, sizeof shape);
    snprintf(text, sizeof text, "%s %s: memory, about %.0f s", c->kernel->name, shape,
             series->seconds);
    progress(text);
    run_child(c, series->variant->name, seed, line, sizeof line);
    if (sscanf(line, "before %lf bytes, after %lf bytes resident at most, call %lf s",
               &m->before_bytes, &m->peak_bytes, &m->seconds) != 3) {
        m->before_bytes = m->peak_bytes = 0.0;
        snprintf(m->note, sizeof m->note, "%s", line[0] ? line : "the process said nothing");
        series->failed = true;
        return true;
    }
    series->seconds = m->seconds;
    return true;
}

bool curve_memory(struct run *run, const struct curve_options *options,
                  const struct variant *const *picked, size_t count, uint64_t seed, double seconds,
                  void (*progress)(const char *what))
{
    const struct variant *chosen[1];
    if (curve_variants(CURVE_NONE, picked, count, chosen) == 0)
        return true;
    struct series series[] = {
        {.kernel = "infonce_forward_backward", .workspace = WORKSPACE_STREAMED},
        {.kernel = "infonce_forward_backward", .workspace = WORKSPACE_STORED},
        {.kernel = "infonce_forward", .workspace = WORKSPACE_STREAMED},
    };
    double start = timer_now();
    size_t least = options->smoke ? 256 : 1024;
    size_t most = options->smoke ? 512 : options->all ? 131072 : 65536;
    for (size_t batch = least; batch <= most; batch *= 2) {
        for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
            struct plan_case c = {.kernel = kernel_find(series[i].kernel),
                                  .fill = FILL_NORMAL,
                                  .threads = options->threads ? options->threads : options->cpus,
                                  .workspace = series[i].workspace};
            c.shape = c.kernel->bench[0];
            c.shape.m = c.shape.n = batch;
            c.shape.d = options->dim ? options->dim : 512;
            series[i].variant = chosen[0];
            double left = seconds - (timer_now() - start);
            if (!series[i].failed && !measure(run, &series[i], &c, seed, left, progress))
                return false;
        }
    }
    return true;
}

/* job.c - one case ready to run.
 * SPDX-License-Identifier: MIT
 *
 * The third stop on the way of a --shape, which shape.c tells: from the case of plan.c to a trial
 * with its inputs, called through variants.c.
 */
#include "job.h"

#include "../../ref/cases.h"
#include "../../ref/pages.h"
#include "../base/text.h"
#include "../peers/allowance.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROTATED_ROWS = 32,      /* enough that a row is forgotten when it comes again */
    ROTATED_LARGE_ROWS = 4, /* of rows so long that each is a lesson of its own */
    SAMPLED_ROWS = 48,      /* judged in a large case */
    CHECKED_INPUTS = 4,     /* of those in rotation */
    SMALL_SIDE = 64,        /* rows of the shapes that estimates are made at */
    MEDIUM_SIDE = 256,
    SMALL_SCORES = 4096, /* or so many times k */
    SCORES_BY_K = 64,
    LONG_ROW_BYTES = 1 << 20,
};
#define ROTATED_LARGE_BYTES ((size_t)8 << 20)

/* ---- Opening --------------------------------------------------------------------------------- */

/* Shapes are small here, so that the layout shows which sizes an output has. */
bool job_rows_are_independent(const struct plan_case *plan)
{
    struct trial probe;
    memset(&probe, 0, sizeof probe);
    probe.kernel = plan->kernel;
    probe.shape = plan->shape;
    probe.shape.m = 5;
    probe.shape.n = 7;
    probe.shape.d = 11;
    probe.shape.k = 3;
    if (plan->kernel->dims[0] != 'm')
        return false;
    plan->kernel->layout(&probe);
    for (int b = 0; b < probe.buffer_count; b++)
        if (probe.buffer[b].output && probe.buffer[b].rows != 5)
            return false;
    return true;
}

static void fill(struct trial *trial, const struct plan_case *plan, size_t turn, uint64_t seed)
{
    if (plan->source) {
        data_fill(plan->source, trial, turn);
        return;
    }
    trial->seed = seed + turn;
    trial_fill(trial);
}

/* Fills the pool of inputs in rotation; the trial's own buffer is left with the last. */
static bool open_pool(struct job *job)
{
    struct trial *trial = &job->trial;
    job->pool_rows = 1;
    const struct buffer *scores = trial_buffer(trial, "scores");
    job->rotated_buffer = scores ? (int)(scores - trial->buffer) : -1;
    fill(trial, job->plan, 0, job->seed);
    if (job->rotated_buffer < 0)
        return true;
    struct buffer *buffer = &trial->buffer[job->rotated_buffer];
    size_t bytes = buffer_bytes(buffer);
    if (buffer->rows >= ROTATED_ROWS || bytes == 0)
        return true;
    size_t rows = ROTATED_ROWS / (buffer->rows ? buffer->rows : 1);
    if (rows * bytes > ROTATED_LARGE_BYTES)
        rows = ROTATED_LARGE_BYTES / bytes > ROTATED_LARGE_ROWS ? ROTATED_LARGE_BYTES / bytes
                                                                : ROTATED_LARGE_ROWS;
    job->pool_stride = (bytes / sizeof(float) + 15) / 16 * 16;
    job->pool = pages_alloc(rows * job->pool_stride * sizeof(float), NULL);
    if (!job->pool)
        return false;
    for (size_t r = 0; r < rows; r++) {
        if (r > 0)
            fill(trial, job->plan, r, job->seed);
        memcpy(job->pool + r * job->pool_stride, buffer->data, bytes);
    }
    job->pool_rows = rows;
    return true;
}

bool job_workspace(const struct plan_case *plan, size_t *bytes, size_t *logits)
{
    struct mmk_workspace_bytes workspace;
    *bytes = *logits = 0;
    if (plan->workspace == WORKSPACE_NONE)
        return true;
    if (trial_workspace(plan->kernel, &plan->shape, plan->threads, &workspace) != MMK_OK)
        return false;
    *logits =
        (size_t)((double)(workspace.all - workspace.least) / WORKSPACE_STORED * plan->workspace);
    *bytes = workspace.least + *logits;
    return true;
}

/* Gives the trial the threads and the workspace of the job's case. */
static bool open_workspace(struct job *job)
{
    size_t bytes, logits;
    job->trial.options = (struct mmk_options){.threads = job->plan->threads};
    if (!job_workspace(job->plan, &bytes, &logits))
        return false;
    if (bytes > job->workspace_bytes) {
        free(job->workspace);
        job->workspace = pages_alloc(bytes, NULL);
        job->workspace_bytes = job->workspace ? bytes : 0;
        if (!job->workspace)
            return false;
    }
    if (bytes > 0) {
        job->trial.options.workspace = job->workspace;
        job->trial.options.workspace_bytes = bytes;
    }
    /* Logits in a workspace are walked through; the rest of it is reused and stays in cache. */
    job->working_set = job->data_bytes + (double)logits;
    return true;
}

static void measure_data(struct job *job)
{
    for (int b = 0; b < job->trial.buffer_count; b++)
        job->data_bytes += (double)buffer_bytes(&job->trial.buffer[b]) *
                           (b == job->rotated_buffer ? (double)job->pool_rows : 1.0);
}

bool job_open(struct job *job, const struct plan_case *plan, uint64_t seed, char *error,
              size_t error_bytes)
{
    memset(job, 0, sizeof *job);
    job->plan = plan;
    job->seed = seed;
    job->judged_row = SIZE_MAX;
    if (!trial_open(&job->trial, plan->kernel, &plan->shape, plan->fill, seed)) {
        snprintf(error, error_bytes, "no memory for this shape");
        return false;
    }
    bool good = open_pool(job);
    measure_data(job);
    if (!good || !open_workspace(job)) {
        snprintf(error, error_bytes, "no memory for the workspace or the inputs in rotation");
        job_close(job);
        return false;
    }
    return true;
}

void job_close(struct job *job)
{
    trial_close(&job->trial);
    if (job->sampled)
        trial_close(&job->part);
    free(job->pool);
    free(job->first_k);
    free(job->workspace);
    memset(job, 0, sizeof *job);
}

bool job_retarget(struct job *job, const struct plan_case *plan)
{
    const struct plan_case *old = job->plan;
    if (!old || old->kernel != plan->kernel || old->source != plan->source ||
        old->fill != plan->fill || !shape_same(&old->shape, &plan->shape))
        return false;
    job->plan = plan;
    if (!open_workspace(job)) {
        job_close(job);
        return false;
    }
    return true;
}

/* ---- Running --------------------------------------------------------------------------------- */

static void use_input(struct job *job, size_t row)
{
    if (job->pool)
        job->trial.buffer[job->rotated_buffer].data = job->pool + row * job->pool_stride;
}

static enum mmk_status call_once(struct job *job, const struct variant *variant)
{
    if (job->pool) {
        use_input(job, job->next);
        job->next = job->next + 1 == job->pool_rows ? 0 : job->next + 1;
    }
    return variant_call(variant, &job->trial);
}

/* Seconds of a call; 0 from a peer whose process has gone. */
static double time_one(const struct variant *variant, struct trial *trial)
{
    struct peer_sample there;
    if (variant->peer && variant->peer->run)
        return variant->peer->run(variant->peer, 0, 1, &there) ? there.seconds : 0.0;
    double start = timer_now();
    variant_call(variant, trial);
    return timer_now() - start;
}

/* Seconds of a call at a shape of the case's kernel; the least of a few: the first pays for pages
 * and tables, any may be interrupted. 0: no memory, or a peer cannot do it. */
static double time_call(const struct plan_case *plan, const struct shape *shape,
                        const struct variant *variant, uint64_t seed)
{
    struct trial trial;
    enum fill fill = plan->fill == FILL_GIVEN ? FILL_NORMAL : plan->fill;
    if (!trial_open(&trial, plan->kernel, shape, fill, seed))
        return 0.0;
    trial.options.threads = 1;
    trial_fill(&trial);
    variant_select(variant);
    char error[200];
    bool ready = variant_prepare(variant, &trial, error, sizeof error);
    if (ready && variant->peer)
        time_one(variant, &trial); /* some compile what they will run */
    double seconds = ready ? INFINITY : 0.0, spent = 0.0;
    for (int i = 0; i < 5 && spent < 0.01 && ready; i++) {
        double taken = time_one(variant, &trial);
        seconds = fmin(seconds, taken);
        spent += taken;
    }
    trial_close(&trial);
    return seconds;
}

/* Where there is a k: of shorter rows sorting k is most of it. */
static size_t small_n(const struct kernel *kernel, const struct shape *shape, size_t side)
{
    if (strchr(kernel->dims, 'k') == NULL)
        return side;
    size_t k = shape_size(kernel, shape, 'k');
    return k > SMALL_SCORES / SCORES_BY_K ? k * SCORES_BY_K : SMALL_SCORES;
}

double job_estimate(const struct plan_case *plan, const struct variant *variant, uint64_t seed)
{
    const double brief = 1e-3, long_call = 0.1;
    double seconds = 0.0;
    for (size_t side = SMALL_SIDE; side <= MEDIUM_SIDE; side *= MEDIUM_SIDE / SMALL_SIDE) {
        struct shape s = plan->shape;
        s.m = least(s.m, side);
        s.n = least(s.n, small_n(plan->kernel, &s, side));
        s.offset = s.offset + s.m <= s.n ? s.offset : 0;
        double ratio = plan_work(plan->kernel, &plan->shape) / plan_work(plan->kernel, &s);
        double call = time_call(plan, &s, variant, seed);
        seconds = call * (ratio > 1.0 ? ratio : 1.0);
        /* Of a brief call much does not grow with the work: a long one is not judged by it. */
        if (call > brief || seconds < long_call)
            break;
    }
    return seconds;
}

static size_t whole_laps(size_t calls, size_t lap)
{
    return (calls + lap - 1) / lap * lap;
}

/* Warms up, then times calls from input `first` of those in rotation on: seconds of all of them,
 * NaN when one returned an error, or from a peer whose process has gone. */
static double time_calls(struct job *job, const struct variant *variant, struct pace pace,
                         size_t first, enum disturbance *disturbance)
{
    struct sample sample;
    struct peer_sample there;
    if (variant->peer && variant->peer->run) {
        sample_begin(&sample, job->plan->threads);
        if (!variant->peer->run(variant->peer, pace.warm_up, pace.calls, &there))
            return NAN;
        *disturbance =
            sample_end_elsewhere(&sample, there.seconds, there.cpu_seconds, there.switches);
        return there.seconds;
    }
    unsigned failed = MMK_OK; /* bits of all that were returned */
    for (size_t i = 0; i < pace.warm_up; i++)
        failed |= (unsigned)call_once(job, variant);
    job->next = first % job->pool_rows;
    sample_begin(&sample, job->plan->threads);
    for (size_t i = 0; i < pace.calls; i++)
        failed |= (unsigned)call_once(job, variant);
    double seconds = sample_end(&sample, disturbance);
    return failed == MMK_OK ? seconds : NAN;
}

struct pace job_calibrate(struct job *job, const struct variant *variant, double seconds)
{
    const double warm_up = 50e-6, lap = 2e-3, long_call = 20e-3;
    variant_select(variant);
    struct pace pace = {1, 0};
    double taken;
    for (;;) {
        enum disturbance ignored;
        taken = time_calls(job, variant, pace, job->next, &ignored);
        if (!(taken < seconds))
            break;
        double factor = taken > 0.0 ? 1.1 * seconds / taken : 16.0;
        pace.calls = (size_t)ceil((double)pace.calls * (factor > 16.0 ? 16.0 : factor));
    }
    double call = taken / (double)pace.calls;
    if (call < long_call) {
        pace.warm_up = (size_t)ceil(warm_up / call);
        /* Whole laps through the inputs in rotation, where that is not long: rows differ in
         * difficulty, and all variants are to have the same. */
        if (call * (double)job->pool_rows < lap) {
            pace.warm_up = whole_laps(pace.warm_up, job->pool_rows);
            pace.calls = whole_laps(pace.calls, job->pool_rows);
        }
    }
    return pace;
}

double job_sample(struct job *job, const struct variant *variant, struct pace pace, size_t first,
                  enum disturbance *disturbance)
{
    variant_select(variant);
    bool spins = variant->peer && job->plan->threads > 1;
    if (spins)
        timer_wait_for_idle_threads();
    double seconds = time_calls(job, variant, pace, first, disturbance);
    if (spins)
        timer_wait_for_idle_threads();
    return seconds / (double)pace.calls;
}

double job_loop(struct job *job, const struct variant *variant, double seconds)
{
    size_t batch = job_calibrate(job, variant, 0.01).calls, calls = 0;
    double start = timer_now(), taken;
    do {
        for (size_t i = 0; i < batch; i++)
            call_once(job, variant);
        calls += batch;
        taken = timer_now() - start;
    } while (taken < seconds);
    return (double)calls / taken;
}

/* ---- Checking -------------------------------------------------------------------------------- */

/* Row r of the part stands for this row of the whole. */
static size_t whole_row(const struct job *job, size_t r)
{
    return r * (job->trial.shape.m - 1) / (job->part_rows - 1);
}

static void copy_part_rows(const struct job *job, const struct buffer *whole, struct buffer *part)
{
    size_t size = element_bytes(whole->element);
    for (size_t r = 0; r < job->part_rows; r++)
        memcpy((char *)part->data + r * part->ld * size,
               (const char *)whole->data + whole_row(job, r) * whole->ld * size,
               whole->cols * size);
}

/* A trial of a few of the rows, with the same inputs. */
static bool open_part(struct job *job)
{
    struct shape shape = job->trial.shape;
    shape.m = SAMPLED_ROWS;
    if (!trial_open(&job->part, job->trial.kernel, &shape, FILL_GIVEN, job->trial.seed))
        return false;
    job->sampled = true;
    job->part_rows = SAMPLED_ROWS;
    for (int b = 0; b < job->part.buffer_count; b++) {
        const struct buffer *whole = &job->trial.buffer[b];
        struct buffer *part = &job->part.buffer[b];
        if (part->output)
            continue;
        size_t size = element_bytes(part->element);
        if (part->rows == SAMPLED_ROWS && whole->rows == job->trial.shape.m)
            copy_part_rows(job, whole, part);
        else
            for (size_t i = 0; i < part->rows; i++)
                memcpy((char *)part->data + i * part->ld * size,
                       (const char *)whole->data + i * whole->ld * size, part->cols * size);
    }
    return true;
}

bool job_can_be_judged(const struct plan_case *plan, char *error, size_t error_bytes)
{
    double matrices = (double)plan->kernel->oracle_matrices;
    double columns = (double)plan->shape.n + (double)plan->shape.negatives;
    double needed = matrices * (double)plan->shape.m * columns * sizeof(double);
    double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (needed < 0.7 * there)
        return true;
    snprintf(error, error_bytes, "the oracle would need about %.0f GB for the check at this shape",
             needed / 1e9);
    return false;
}

bool job_oracle(struct job *job, bool all_rows)
{
    if (job->judged)
        return true;
    job->judged = true;
    omp_set_num_threads(timer_cpus());
    if (all_rows || job->trial.shape.m <= 2 * SAMPLED_ROWS ||
        !job_rows_are_independent(job->plan)) {
        if (job->pool_rows == 1)
            trial_oracle(&job->trial);
        return true;
    }
    if (!open_part(job))
        return false;
    trial_oracle(&job->part);
    return true;
}

/* What a search by another library is to find. False: there is no memory. */
static bool find_first_k(struct job *job)
{
    const struct buffer *indices = trial_buffer(&job->trial, "indices");
    const struct variant *ours;
    size_t count = variants_list(&ours), k = indices->cols;
    if (job->first_k)
        return true;
    variant_select(&ours[count - 1]);
    uint32_t *found = malloc((indices->rows * k + 1) * sizeof *found);
    if (!found || kernel_search.call(&job->trial) != MMK_OK) {
        free(found);
        return false;
    }
    for (size_t i = 0; i < indices->rows; i++)
        memcpy(found + i * k, (const uint32_t *)indices->data + i * indices->ld, k * sizeof *found);
    job->first_k = found;
    return true;
}

/* An index that comes again is no second hit. Of equal scores at the end of the first k others may
 * be found, which count as missed. */
static void measure_recall(const struct job *job, struct column *column)
{
    const struct buffer *indices = trial_buffer(&job->trial, "indices");
    size_t k = least(indices->cols, job->trial.shape.n), hits = 0;
    for (size_t i = 0; i < indices->rows; i++) {
        const uint32_t *found = (const uint32_t *)indices->data + i * indices->ld;
        for (size_t r = 0; r < k; r++) {
            uint32_t wanted = job->first_k[i * indices->cols + r];
            size_t at = 0;
            while (at < k && found[at] != wanted)
                at++;
            hits += at < k;
        }
    }
    column->recalled = indices->rows * k;
    column->recall = column->recalled > 0 ? (double)hits / (double)column->recalled : 0.0;
}

static bool judge(struct job *job, const struct variant *variant, struct column *column)
{
    struct trial *judged = &job->trial;
    bool recalls = variant->peer && job->trial.kernel->ranks_gallery;
    if (recalls && !find_first_k(job)) {
        snprintf(column->note, sizeof column->note, "no memory for what it is to find");
        return false;
    }
    trial_poison(&job->trial);
    if (variant->row)
        job->trial.work = &column->work;
    enum mmk_status status = variant_call(variant, &job->trial);
    job->trial.work = NULL;
    if (status != MMK_OK && variant->peer) {
        snprintf(column->note, sizeof column->note, "it gave up on a case that it can do");
        return false;
    }
    if (status != MMK_OK) {
        char error[ERROR_BYTES];
        text_status(status, error, sizeof error);
        snprintf(column->note, sizeof column->note, "returned an error: %.280s", error);
        return false;
    }
    if (recalls)
        measure_recall(job, column);
    if (recalls && variant->peer->approximate) {
        column->approximate = true;
        column->checked_rows = 0;
        return true;
    }
    if (job->sampled) {
        judged = &job->part;
        trial_poison(judged);
        for (int b = 0; b < judged->buffer_count; b++)
            if (judged->buffer[b].output)
                copy_part_rows(job, &job->trial.buffer[b], &judged->buffer[b]);
        judged->count = job->trial.count;
    }
    struct verdict verdict;
    bool pass = variant->peer ? allowance_check(judged, &verdict) : trial_check(judged, &verdict);
    if (verdict.worst_share > column->worst_share)
        column->worst_share = verdict.worst_share;
    if (verdict.worst_abs > column->worst_abs)
        column->worst_abs = verdict.worst_abs;
    if (!pass)
        snprintf(column->note, sizeof column->note, "%s", verdict.message);
    else if (verdict.judged == 0)
        snprintf(column->note, sizeof column->note, "no output could be judged at this shape");
    return pass && verdict.judged > 0;
}

bool job_check(struct job *job, const struct variant *variant, struct column *column)
{
    column->checked = false;
    column->checked_rows = job->sampled ? job->part_rows : job->trial.judged_rows;
    if (variant_is_oracle(variant)) { /* the oracle is what the others are judged by */
        column->checked = true;
        return true;
    }
    variant_select(variant);
    bool good = true;
    size_t inputs = job->pool_stride * sizeof(float) > LONG_ROW_BYTES ? 1 : CHECKED_INPUTS;
    for (size_t r = 0; good && r < least(job->pool_rows, inputs); r++) {
        use_input(job, r);
        if (job->pool_rows > 1 && job->judged_row != r) {
            trial_oracle(&job->trial);
            job->judged_row = r;
        }
        good = judge(job, variant, column);
    }
    column->checked = good;
    return good;
}

/* script.c - peers that are Python scripts, each run as a child process.
 * SPDX-License-Identifier: MIT
 */
#include "script.h"

#include "../base/child.h"
#include "../base/shared.h"
#include "path.h"

#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ANSWER = 512, ORDER = 1024, SCRIPT_PATH = PATH_MAX + 128 };

struct script {
    const char *file, *module;
    const char *const *environment;
};

struct running {
    struct child child;
    const char *python;
    struct shared shared; /* the arguments of the trial */
    int threads;          /* of the trial */
};

/* ---- The process ----------------------------------------------------------------------------- */

/* The Python of PATH may be another than the distribution's, which has the distribution's
 * modules. */
const char *script_python(const char *module)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    char test[128], answer[ANSWER];
    snprintf(test, sizeof test,
             "import importlib.util; print(importlib.util.find_spec('%s') is not None)", module);
    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0]; i++) {
        const char *const argv[] = {pythons[i], "-c", test, NULL};
        struct child child;
        bool has = child_start(&child, argv, NULL) && child_read(&child, answer, sizeof answer) &&
                   strcmp(answer, "True") == 0;
        child_stop(&child);
        if (has)
            return pythons[i];
    }
    return NULL;
}

bool script_find(struct peer *peer, char *error, size_t error_bytes)
{
    const struct script *script = peer->about;
    struct running *running = peer->state;
    char path[SCRIPT_PATH];
    peers_path(script->file, path, sizeof path);
    running->python = script_python(script->module);
    if (access(path, R_OK) != 0)
        snprintf(error, error_bytes, "its script is not built");
    else if (!running->python)
        snprintf(error, error_bytes, "no python3 here has the module %s", script->module);
    else
        return true;
    return false;
}

static void close_script(struct peer *peer)
{
    struct running *running = peer->state;
    child_stop(&running->child);
    shared_close(&running->shared);
}

const char *script_judge(const char *expected, bool answered, const char *answer, char *error,
                         size_t error_bytes)
{
    size_t length = strlen(expected);
    if (answered && strncmp(answer, expected, length) == 0)
        return answer + length + (answer[length] == ' ');
    if (answered && strncmp(answer, "error ", 6) == 0)
        snprintf(error, error_bytes, "%s", answer + 6);
    else
        snprintf(error, error_bytes, "its process has ended");
    return NULL;
}

static bool open_script(struct peer *peer, char *error, size_t error_bytes)
{
    const struct script *script = peer->about;
    struct running *running = peer->state;
    char path[SCRIPT_PATH], answer[ANSWER];
    peers_path(script->file, path, sizeof path);
    const char *const argv[] = {running->python, path, NULL};
    bool answered = child_start(&running->child, argv, script->environment) &&
                    child_read(&running->child, answer, sizeof answer);
    const char *hello = script_judge("hello", answered, answer, error, error_bytes);
    if (!hello) {
        close_script(peer);
        return false;
    }
    size_t version = strcspn(hello, ";");
    snprintf(peer->version, sizeof peer->version, "%.*s", (int)version, hello);
    snprintf(peer->kernel, sizeof peer->kernel, "%s", hello + version + (hello[version] ? 2 : 0));
    return true;
}

/* ---- A trial --------------------------------------------------------------------------------- */

/* Inputs into the shared memory, where rows lie close together; or outputs back from there. */
static void copy_arguments(const struct trial *trial, float *shared, bool outputs)
{
    for (int b = 0; b < trial->buffer_count; b++) {
        const struct buffer *buffer = &trial->buffer[b];
        for (size_t i = 0; i < buffer->rows && buffer->output == outputs; i++) {
            float *ours = (float *)buffer->data + i * buffer->ld,
                  *theirs = shared + i * buffer->cols;
            memcpy(outputs ? ours : theirs, outputs ? theirs : ours, buffer->cols * sizeof(float));
        }
        shared += buffer->rows * buffer->cols;
    }
}

static void write_order(const struct trial *trial, const struct running *running, char *order,
                        size_t bytes)
{
    const struct shape *s = &trial->shape;
    char file[64];
    shared_name(&running->shared, file, sizeof file);
    int used = snprintf(order, bytes,
                        "prepare kernel=%s m=%zu n=%zu d=%zu k=%zu similarity=%s logit_scale=%.9g "
                        "weight_x=%.9g weight_y=%.9g offset=%zu threads=%d file=%s",
                        trial->kernel->name, s->m, s->n, s->d, s->k, similarity_name(s->similarity),
                        (double)s->logit_scale, (double)s->weight_x, (double)s->weight_y, s->offset,
                        running->threads, file);
    for (int b = 0; b < trial->buffer_count; b++)
        used += snprintf(order + used, bytes - (size_t)used, " %s=%zux%zu", trial->buffer[b].name,
                         trial->buffer[b].rows, trial->buffer[b].cols);
}

static bool prepare(struct peer *peer, const struct trial *trial, char *error, size_t error_bytes)
{
    struct running *running = peer->state;
    char order[ORDER], answer[ANSWER];
    size_t floats = 0;
    for (int b = 0; b < trial->buffer_count; b++)
        floats += trial->buffer[b].rows * trial->buffer[b].cols;
    if (!shared_resize(&running->shared, (floats ? floats : 1) * sizeof(float))) {
        snprintf(error, error_bytes, "no memory to hand over its inputs");
        return false;
    }
    copy_arguments(trial, running->shared.floats, false);
    running->threads = trial->options.threads;
    write_order(trial, running, order, sizeof order);
    bool answered = child_ask(&running->child, order, answer, sizeof answer);
    return script_judge("ready", answered, answer, error, error_bytes) != NULL;
}

static enum mmk_status call(struct peer *peer, struct trial *trial)
{
    struct running *running = peer->state;
    char answer[ANSWER], error[ANSWER];
    bool answered = child_ask(&running->child, "outputs", answer, sizeof answer);
    if (!script_judge("done", answered, answer, error, sizeof error))
        return MMK_ERR_NO_MEMORY; /* what else could keep it from a call that it was ready for */
    copy_arguments(trial, running->shared.floats, true);
    return MMK_OK;
}

static bool run(struct peer *peer, size_t warm_up, size_t calls, struct peer_sample *sample)
{
    struct running *running = peer->state;
    char order[96], answer[ANSWER], error[ANSWER];
    snprintf(order, sizeof order, "run %zu %zu %d", warm_up, calls,
             running->threads == 1 ? sched_getcpu() : -1);
    bool answered = child_ask(&running->child, order, answer, sizeof answer);
    const char *done = script_judge("done", answered, answer, error, sizeof error);
    return done && sscanf(done, "%lf %lf %ld", &sample->seconds, &sample->cpu_seconds,
                          &sample->switches) == 3;
}

/* ---- PyTorch --------------------------------------------------------------------------------- */

static bool runs_infonce(const struct kernel *kernel)
{
    return kernel->clip_loss;
}

/* AVX-512 in its own loops, which it leaves out by default; memory that malloc keeps in place of
 * giving it back after every call, and has in large pages; no spinning workers. */
static const char *const tuned[] = {
    "ATEN_CPU_CAPABILITY=avx512",        "MALLOC_MMAP_THRESHOLD_=8589934592",
    "MALLOC_TRIM_THRESHOLD_=8589934592", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1",
    "OMP_WAIT_POLICY=passive",           NULL};

static const struct script stock_script = {"pytorch.py", "torch", NULL};
static const struct script tuned_script = {"pytorch.py", "torch", tuned};
static struct running stock_running = {.shared = SHARED_NONE},
                      tuned_running = {.shared = SHARED_NONE};

#define SCRIPT_FUNCTIONS                                                                           \
    .open = open_script, .close = close_script, .prepare = prepare, .call = call, .run = run

struct peer script_pytorch = {.name = "pytorch",
                              .about = &stock_script,
                              .state = &stock_running,
                              .runs = runs_infonce,
                              SCRIPT_FUNCTIONS};
struct peer script_pytorch_tuned = {.name = "pytorch-tuned",
                                    .about = &tuned_script,
                                    .state = &tuned_running,
                                    .runs = runs_infonce,
                                    SCRIPT_FUNCTIONS};

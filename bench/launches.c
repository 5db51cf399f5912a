/* launches.c - a run is made of launches of the program.
 * SPDX-License-Identifier: MIT
 *
 * To a launch go, a line each:
 *     launch INDEX BEGIN ELAPSED SECONDS SCRIPTS LIMIT
 *     best RATE...                     of the canaries
 *     known RESULT                     what earlier launches found of a case, without rounds
 *     go
 * and from it come
 *     peers COUNT SECONDS              how many, and what the start of scripts took
 *     missing TEXT
 *     case ORDER KERNEL SHAPE          it is about to time
 *     result RESULT
 *     say TEXT                         for the line of progress
 */
#include "launches.h"

#include "base/child.h"
#include "base/console.h"
#include "base/memory.h"
#include "report/analysis.h"
#include "results/json.h"
#include "schedule.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The run's side -------------------------------------------------------------------------- */

struct launching {
    const struct arguments *a;
    const char **argv;
    struct run *run;
    double start;
    bool peers;            /* there are some */
    double script_seconds; /* that the start of scripts took */
    size_t scripted;       /* launches with scripts so far */
    /* Where the launch is. */
    int order; /* -1: at no case */
    char kernel[48], shape[96];
    size_t cases;
};

static double elapsed(const struct launching *l)
{
    return timer_now() - l->start;
}

static double budget(const struct launching *l)
{
    return schedule_budget(l->a, l->peers);
}

static void send_order(const struct launching *l, FILE *to, const struct launch_order *order)
{
    double limit = 60.0 + 2.0 * budget(l);
    fprintf(to, "launch %zu %.6f %.3f %.3f %d %.0f\nbest", order->index, order->begin,
            order->elapsed, order->seconds, order->scripts, limit);
    for (int c = 0; c < CANARY_COUNT; c++)
        fprintf(to, " %.9g", l->run->best.rate[c]);
    fprintf(to, "\n");
    for (size_t i = 0; i < l->run->result_count; i++) {
        struct result known = l->run->results[i];
        known.rounds = 0;
        known.launch = NULL;
        known.canary = NULL;
        fprintf(to, "known ");
        results_put_result(to, &known);
    }
    fprintf(to, "go\n");
    fflush(to);
}

static void add_missing_once(struct run *run, const char *text)
{
    for (size_t i = 0; i < run->missing_count; i++)
        if (strcmp(run->missing[i], text) == 0)
            return;
    run_add_missing(run, "%s", text);
}

static void say(const struct launching *l, size_t index, const char *what)
{
    char text[400];
    double left = budget(l) - elapsed(l);
    if (l->a->undisturbed) /* selftest has a line of its own */
        return;
    snprintf(text, sizeof text, "launch %zu, %.0f s left: %s", index + 1, left > 0.0 ? left : 0.0,
             what);
    progress(text);
}

static void take_result(struct launching *l, const char *line, size_t index)
{
    struct run one;
    run_init(&one);
    if (!results_get_result(&one, line) || !run_merge(l->run, &one.results[0], index))
        schedule_refuse();
    run_free(&one);
}

static void take_line(struct launching *l, char *line, size_t index)
{
    size_t count;
    double seconds;
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "result ", 7) == 0)
        take_result(l, line + 7, index);
    else if (strncmp(line, "missing ", 8) == 0)
        add_missing_once(l->run, line + 8);
    else if (strncmp(line, "say ", 4) == 0)
        say(l, index, line + 4);
    else if (sscanf(line, "case %d %47s %95[^\n]", &l->order, l->kernel, l->shape) == 3)
        l->cases++;
    else if (sscanf(line, "peers %zu %lf", &count, &seconds) == 2) {
        l->peers = count > 0 || l->peers;
        l->script_seconds = fmax(l->script_seconds, seconds);
    }
}

/* Ends the launch; false: it did not end well. */
static bool end_child(struct child *child, int *status)
{
    pid_t pid = child->pid;
    child->pid = 0;
    child_stop(child);
    return waitpid(pid, status, 0) == pid && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
}

/* The case at which a launch ended is left alone from here on. False: no case is to blame. */
static bool note_crash(struct launching *l, size_t index, int status)
{
    struct result *result = l->order >= 0 ? run_find_result(l->run, l->order) : NULL;
    if (l->order < 0)
        return false;
    if (!result && (result = run_add_results(l->run, 1)) != NULL) {
        snprintf(result->kernel, sizeof result->kernel, "%s", l->kernel);
        snprintf(result->shape, sizeof result->shape, "%s", l->shape);
        result->order = l->order;
        result->threads = 1;
    }
    if (!result)
        schedule_refuse();
    result->closed = true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(result->note, sizeof result->note,
                 "launch %zu did not come to its end here, and was stopped", index + 1);
    else
        snprintf(result->note, sizeof result->note, "launch %zu crashed here (%s)", index + 1,
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it exited");
    return true;
}

/* False: it crashed or hung. */
static bool launch(struct launching *l, const struct launch_order *order, uint64_t *random)
{
    struct child child;
    char *line = NULL;
    size_t bytes = 0;
    int status = 0;
    l->order = -1;
    l->cases = 0;
    if (!child_start_padded(&child, l->argv, random))
        refuse("the program could not be launched anew (%s); close something", strerror(errno));
    send_order(l, child.to, order);
    while (getline(&line, &bytes, child.from) > 0)
        take_line(l, line, order->index);
    free(line);
    if (end_child(&child, &status))
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE) {
        progress_end();
        exit(EXIT_USAGE); /* it has said why */
    }
    if (!note_crash(l, order->index, status))
        refuse("launch %zu of the program crashed before its first case; build it again with `make "
               "clean all`",
               order->index + 1);
    return false;
}

/* A group is timed together, and closed together. */
static bool close_cases(struct launching *l)
{
    struct run *run = l->run;
    bool all = true;
    for (size_t i = 0; i < run->result_count; i++) {
        struct result *result = &run->results[i];
        bool done = true;
        for (size_t j = 0; j < run->result_count && done && !result->closed; j++)
            if (j == i || (result->group != 0 && run->results[j].group == result->group))
                done = analyse_done(&run->results[j], run->precision);
        result->closed = result->closed || done;
        all = all && result->closed;
    }
    return all;
}

/* Peers in Python take part where their start is a small part of the launch; and often enough for
 * an interval in any case. */
static bool takes_scripts(const struct launching *l, size_t index, double seconds)
{
    if (index > 0 && !(l->script_seconds > 0.0))
        return false; /* there are none */
    return l->scripted < FEWEST_LAUNCHES || l->script_seconds < 0.2 * seconds;
}

/* What the next launch may take; false: there is to be none. */
static bool plan_next(const struct launching *l, size_t index, double last, bool done,
                      double *seconds)
{
    size_t least = schedule_launches(l->a);
    double left = budget(l) - elapsed(l);
    if (index < least) {
        *seconds = fmax(left / (double)(least - index), 0.0);
        return left > -0.1 * budget(l);
    }
    *seconds = fmax(left / (double)least, 1.0);
    return !done && !l->a->smoke && left > 0.6 * last;
}

bool launches_run(const struct arguments *a, int argc, char **argv, struct run *run, double start)
{
    struct launching l = {.a = a, .run = run, .start = start};
    uint64_t random = (uint64_t)(1e9 * timer_now());
    size_t index = 0;
    double seconds = 0.0, last = 0.0;
    bool good = true, done = false;
    l.argv = memory_new((size_t)argc + 2, sizeof *l.argv);
    l.argv[0] = "/proc/self/exe";
    for (int i = 1; i < argc; i++)
        l.argv[i] = argv[i];
    l.argv[argc] = "--launch";
    l.argv[argc + 1] = NULL;
    for (; index == 0 || plan_next(&l, index, last, done, &seconds); index++) {
        struct launch_order order = {.index = index,
                                     .begin = timer_now(),
                                     .elapsed = elapsed(&l),
                                     .seconds = seconds,
                                     .scripts = takes_scripts(&l, index, seconds)};
        l.scripted += order.scripts;
        good = launch(&l, &order, &random) && good;
        last = elapsed(&l) - order.elapsed;
        run_judge(run);
        if (index + 1 >= schedule_launches(a))
            done = close_cases(&l);
    }
    run->launches = index;
    free(l.argv);
    progress_end();
    return good;
}

/* ---- A launch's side ------------------------------------------------------------------------- */

static void tell_progress(const char *what)
{
    printf("say %s\n", what);
    fflush(stdout);
}

static void tell_peers(size_t count, double script_seconds)
{
    printf("peers %zu %.3f\n", count, script_seconds);
}

static void tell_case(const struct plan_case *c)
{
    char shape[96];
    shape_write(c, shape, sizeof shape);
    printf("case %d %s %s\n", c->order, c->kernel->name, shape);
    fflush(stdout);
}

static void tell_results(const struct result *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("result ");
        results_put_result(stdout, &first[i]);
    }
    fflush(stdout);
}

static void take_best(const char *line, struct mood_best *best)
{
    char *end;
    for (int c = 0; c < CANARY_COUNT; c++, line = end)
        best->rate[c] = strtod(line, &end);
}

static _Noreturn void refuse_by_hand(void)
{
    refuse("--launch is the child's side of a run; leave it out");
}

static void take_order(struct launch_order *order, struct run *known)
{
    char *line = NULL;
    size_t bytes = 0;
    int scripts;
    double limit;
    bool whole = false;
    while (!whole && getline(&line, &bytes, stdin) > 0) {
        if (sscanf(line, "launch %zu %lf %lf %lf %d %lf", &order->index, &order->begin,
                   &order->elapsed, &order->seconds, &scripts, &limit) == 6) {
            order->scripts = scripts != 0;
            alarm((unsigned)limit); /* hung, it is to end */
        } else if (strncmp(line, "best ", 5) == 0) {
            take_best(line + 5, &known->best);
        } else if (strncmp(line, "known ", 6) == 0) {
            whole = !results_get_result(known, line + 6);
        } else {
            whole = strcmp(line, "go\n") == 0;
        }
    }
    if (!whole || strcmp(line, "go\n") != 0)
        refuse_by_hand();
    free(line);
}

void launches_await_order(void)
{
    int first = getc(stdin);
    if (first == EOF)
        refuse_by_hand();
    ungetc(first, stdin);
}

static void leave_out_closed(struct plan *plan, const struct run *known)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct result *result = run_find_result(known, plan->cases[i].order);
        if (!result || !result->closed)
            plan->cases[kept++] = plan->cases[i];
    }
    plan->count = kept;
}

void launches_serve(const struct arguments *a, struct plan *plan)
{
    static const struct launch_talk talk = {tell_peers, tell_case, tell_results, tell_progress};
    struct launch_order order;
    struct run known;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_init(&known);
    memset(&order, 0, sizeof order);
    take_order(&order, &known);
    leave_out_closed(plan, &known);
    int cpu = timer_idlest_cpu();
    if (cpu >= 0 && timer_pin_to(cpu))
        timer_unpin(); /* it stays there until there is a reason to move it */
    schedule_run(a, plan, &known, &order, &talk);
    for (size_t i = 0; i < known.missing_count; i++)
        printf("missing %s\n", known.missing[i]);
    run_free(&known);
}

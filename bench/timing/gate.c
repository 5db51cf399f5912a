/* gate.c - whether this build is slower than a baseline binary.
 * SPDX-License-Identifier: MIT
 *
 * Stored numbers are no judge: the machine of that day is gone. Both programs are started as
 * children that wait for orders, on one CPU, and samples are asked of them in turn, in random
 * order, paired by round. Where a process and its pages happen to lie is worth some percent: so
 * both are started anew for every launch, each with another beginning of the stack, and within a
 * launch the memory of a case is mapped anew every few rounds. verdict.c judges the launches.
 */
#include "gate.h"

#include "../base/child.h"
#include "../base/memory.h"
#include "../machine/timer.h"
#include "program.h"
#include "variants.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE = 512,
    DRAW_ROUNDS = 16, /* between two mappings */
    LEAST_DRAW_ROUNDS = 3,
    MOST_ROUNDS = 4096, /* of a case in a launch */
    MOST_DRAWS = 256,
    MOST_LISTED = 1000,    /* lines of a baseline's list */
    LEAST_QUIET = 6,       /* rounds of a mood that make a figure */
    RECENT_READINGS = 1000 /* of the canaries, that what they reach is learned from */
};

/* Work a second that whatever answers is surely faster than: the oracle, in double. */
#define SLOWEST_RATE 2e8

/* Seconds that a program may take to end, when its orders have. */
#define LONGEST_ENDING 5.0

/* Seconds after which another CPU may be the idlest. */
#define LOOK_AGAIN 3.0

#define ALL_MOODS (~0u)

/* Of the time left, what eight launches may sample, at first and later: opening cases takes time,
 * too, and some cases need more than eight. */
#define FIRST_PART 0.25
#define LATER_PART 0.6
/* Of a case in a launch, seconds. */
#define SHORTEST_SLICE 0.02
#define LONGEST_SLICE  0.3
#define BRIEF_SLICE    0.1

/* The two programs of a launch. */
struct launch {
    struct child old_child, new_child;
    struct program *old_program, *new_program;
    double limit; /* see gate_options */
    uint64_t *state;
    int cpu;           /* the idlest, */
    double look_again; /* which may be another one by then */
};

/* One pair of samples. */
struct round {
    double old_seconds, new_seconds;
    size_t draw;
    struct canaries before, after;
};

static const char this_build[] = "this build", the_baseline[] = "the baseline";

/* ---- The children ---------------------------------------------------------------------------- */

static void stop_launch(struct launch *l)
{
    child_stop_within(&l->old_child, LONGEST_ENDING);
    child_stop_within(&l->new_child, LONGEST_ENDING);
}

static bool start_launch(struct launch *l)
{
    bool old_first = stats_random(l->state) & 1, good = true;
    for (int i = 0; i < 2; i++)
        good = ((i == 0) == old_first ? program_start(&l->old_child, l->old_program, l->state)
                                      : program_start(&l->new_child, l->new_program, l->state)) &&
               good;
    if (!good)
        stop_launch(l);
    return good;
}

/* What another program said may be anything: it is to stand in a row of a table, and in XML. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '|')
            *text = '?';
}

/* Notes why a case cannot be compared. */
static void __attribute__((format(printf, 2, 3)))
give_up(struct gate_case *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(c->why, sizeof c->why, format, list);
    va_end(list);
    make_plain(c->why);
    c->judgement = (struct judgement){.verdict = GATE_NOT_COMPARED, .settled = true};
}

/* Gives an order to one of the two. False: it crashed or hung, and was ended; the case says so. */
static bool ask(struct launch *l, bool old, struct gate_case *c, const char *order, char *answer)
{
    struct child *child = old ? &l->old_child : &l->new_child;
    const char *who = old ? the_baseline : this_build;
    char how[160];
    /* A child that has not answered by then hangs. */
    double limit = l->limit + plan_work(c->plan->kernel, &c->plan->shape) / SLOWEST_RATE;
    switch (child_ask_within(child, order, answer, LINE, limit)) {
    case CHILD_ANSWERED:
        return true;
    case CHILD_GONE:
        child_kill(child, how, sizeof how);
        give_up(c, "%s crashed: %s", who, how);
        return false;
    case CHILD_LATE:
        break;
    }
    child_kill(child, how, sizeof how);
    give_up(c, "%s hung: no answer within %.0f s", who, limit);
    return false;
}

/* Both in an order drawn by lot: what runs second finds other caches. */
static bool ask_both(struct launch *l, struct gate_case *c, bool old_first, const char *order,
                     char *old_answer, char *new_answer)
{
    return old_first ? ask(l, true, c, order, old_answer) && ask(l, false, c, order, new_answer)
                     : ask(l, false, c, order, new_answer) && ask(l, true, c, order, old_answer);
}

static void write_opening(const struct gate *gate, const struct gate_case *c, const char *how,
                          char *order, size_t bytes)
{
    char shape[128];
    shape_write_whole(c->plan, shape, sizeof shape);
    snprintf(order, bytes, "open %s %s %d %s %llu%s", c->kernel, shape, c->threads, c->variant,
             (unsigned long long)gate->options.seed, how);
}

/* What a program says that it has opened. */
struct opened {
    size_t calls;        /* that its sample takes */
    double flops, bytes; /* of a call; NaN: it is older, and says nothing */
};

/* What a program says to an opening that was no success; false where it was one. */
static bool has_refused(struct gate_case *c, const char *who, const char *answer,
                        struct opened *opened)
{
    char how[16] = "";
    opened->flops = opened->bytes = NAN;
    int found = sscanf(answer, "ready %zu %15s %lf %lf", &opened->calls, how, &opened->flops,
                       &opened->bytes);
    if (found >= 2 && opened->calls > 0 && strcmp(how, "anew") == 0)
        return false;
    if (found > 0)
        give_up(c, "%s is from before cases were mapped anew, which alone changes times", who);
    else if (strncmp(answer, "failed ", 7) == 0)
        give_up(c, "%s is wrong: %.300s", who, answer + 7);
    else
        give_up(c, "%s cannot: %.300s", who, answer);
    return true;
}

/* Maps the case anew in both; *calls that both take in a sample. False: the case was given up. */
static bool open_case(struct gate *gate, struct launch *l, struct gate_case *c, size_t *calls)
{
    char order[256], old_answer[LINE], new_answer[LINE];
    struct opened old, new;
    write_opening(gate, c, " unchecked", order, sizeof order);
    if (!ask_both(l, c, stats_random(l->state) & 1, order, old_answer, new_answer) ||
        has_refused(c, this_build, new_answer, &new) ||
        has_refused(c, the_baseline, old_answer, &old))
        return false;
    if (old.flops != new.flops && !isnan(old.flops)) {
        give_up(c, "a call is %g flops here and %g in the baseline: that is another problem",
                new.flops, old.flops);
        return false;
    }
    if (old.bytes != new.bytes && !isnan(old.bytes)) {
        give_up(c, "a call is %g bytes here and %g in the baseline: that is another problem",
                new.bytes, old.bytes);
        return false;
    }
    /* Both take equally many calls, as the faster one needs for its sample. */
    *calls = old.calls > new.calls ? old.calls : new.calls;
    return true;
}

/* A kernel that crashed or hung is not tried at its other shapes: each would take as long. */
static void give_up_kernel(struct gate *gate, const struct gate_case *bad)
{
    for (size_t i = 0; i < gate->count; i++) {
        struct gate_case *c = &gate->cases[i];
        if (!c->judgement.settled && strcmp(c->kernel, bad->kernel) == 0 &&
            strcmp(c->variant, bad->variant) == 0)
            give_up(c, "%s, at %s", bad->why, bad->shape);
    }
}

/* Whether this build's results are right: with all CPUs, before anything is timed. */
static void check_cases(struct gate *gate, struct launch *l, double end)
{
    bool started = program_start(&l->new_child, l->new_program, l->state);
    for (size_t i = 0; i < gate->count; i++) {
        struct gate_case *c = &gate->cases[i];
        char order[256], answer[LINE], text[256];
        struct opened opened;
        if (c->judgement.settled)
            continue;
        if (timer_now() > end) {
            give_up(c, "there was no time left to check it");
            continue;
        }
        snprintf(text, sizeof text, "checking %zu of %zu: %s %s", i + 1, gate->count, c->kernel,
                 c->shape);
        if (gate->options.progress)
            gate->options.progress(text);
        write_opening(gate, c, "", order, sizeof order);
        if (!ask(l, false, c, order, answer)) { /* it has gone */
            give_up_kernel(gate, c);
            started = program_start(&l->new_child, l->new_program, l->state);
            continue;
        }
        has_refused(c, this_build, answer, &opened);
    }
    if (started)
        child_stop_within(&l->new_child, LONGEST_ENDING);
}

/* Seconds of a sample, NaN when it was void. False: the case was given up. */
static bool read_sample(struct gate_case *c, const char *who, const char *answer, double *seconds)
{
    int disturbance;
    if (sscanf(answer, "%lf %d", seconds, &disturbance) != 2 || isnan(*seconds)) {
        give_up(c, "%s failed while it was timed: %.200s", who, answer);
        return false;
    }
    if (disturbance != UNDISTURBED || !(*seconds > 0.0))
        *seconds = NAN;
    return true;
}

/* ---- A case in a launch ---------------------------------------------------------------------- */

/* Rounds until the time is over, their memory mapped anew every few. Returns how many; the case may
 * have been given up. */
static size_t take_rounds(struct gate *gate, struct launch *l, struct gate_case *c, double slice,
                          struct round *rounds)
{
    double end = timer_now() + slice;
    size_t count = 0;
    for (size_t draw = 0; draw < MOST_DRAWS && count < MOST_ROUNDS; draw++) {
        char order[64], old_answer[LINE], new_answer[LINE];
        size_t calls;
        if (draw > 0 && timer_now() >= end)
            break;
        if (!open_case(gate, l, c, &calls))
            return 0;
        snprintf(order, sizeof order, "sample %zu", calls);
        struct canaries before;
        canaries_read(&before);
        bool old_first = false;
        for (int r = 0; r < DRAW_ROUNDS && count < MOST_ROUNDS; r++) {
            struct round *round = &rounds[count];
            if (r >= LEAST_DRAW_ROUNDS && timer_now() >= end)
                break;
            old_first = r % 2 == 0 ? (bool)(stats_random(l->state) & 1) : !old_first;
            if (!ask_both(l, c, old_first, order, old_answer, new_answer) ||
                !read_sample(c, the_baseline, old_answer, &round->old_seconds) ||
                !read_sample(c, this_build, new_answer, &round->new_seconds))
                return 0;
            round->draw = draw;
            round->before = before;
            canaries_read(&round->after);
            before = round->after;
            count++;
        }
        c->draws++;
    }
    return count;
}

/* The centre of the draws' medians, of those rounds that were in one of these moods; NaN: too
 * few. */
static double figure_of(struct gate_case *c, const struct round *rounds, const enum mood *moods,
                        size_t count, unsigned which)
{
    double logs[DRAW_ROUNDS], samples[DRAW_ROUNDS], draws[MOST_DRAWS];
    double round_spread = 0.0, sample_spread = 0.0;
    size_t draw_count = 0, used = 0;
    for (size_t i = 0; i < count;) {
        size_t n = 0;
        for (size_t draw = rounds[i].draw; i < count && rounds[i].draw == draw; i++)
            if ((which >> moods[i] & 1) && !isnan(rounds[i].old_seconds) &&
                !isnan(rounds[i].new_seconds)) {
                samples[n] = log(rounds[i].new_seconds);
                logs[n] = samples[n] - log(rounds[i].old_seconds);
                n++;
            }
        if (n == 0)
            continue;
        draws[draw_count++] = stats_estimate(logs, n).median;
        round_spread += stats_standard_deviation(logs, n);
        sample_spread += stats_standard_deviation(samples, n);
        used += n;
    }
    if (used < LEAST_QUIET && used < (which == ALL_MOODS ? LEAST_DRAW_ROUNDS : count))
        return NAN;
    c->spread.sample += sample_spread / (double)draw_count;
    c->spread.round += round_spread / (double)draw_count;
    c->spread.draw += stats_standard_deviation(draws, draw_count);
    c->spread.rounds += (double)used / (double)draw_count;
    c->spread.draws += (double)draw_count;
    return stats_centre(draws, draw_count).median;
}

static double median_seconds(const struct round *rounds, size_t count, bool old)
{
    double *seconds = memory_new(count, sizeof *seconds);
    for (size_t i = 0; i < count; i++)
        seconds[i] = old ? rounds[i].old_seconds : rounds[i].new_seconds;
    double median = stats_estimate(seconds, count).median;
    free(seconds);
    return median;
}

/* The mood of each round, by all readings so far. What the canaries see is one CPU: of several
 * threads nothing is known. */
static void find_moods(struct gate *gate, const struct gate_case *c, const struct round *rounds,
                       size_t count, enum mood *moods)
{
    for (size_t i = 0; i < count; i++)
        moods[i] = MOOD_UNKNOWN;
    if (c->threads > 1)
        return;
    size_t all = gate->reading_count + count;
    gate->readings = memory_grow(gate->readings, all, sizeof *gate->readings);
    for (size_t i = 0; i < count; i++)
        gate->readings[gate->reading_count++] = rounds[i].after;
    size_t recent = all < RECENT_READINGS ? all : RECENT_READINGS;
    mood_learn(&gate->best, gate->readings + all - recent, recent);
    for (size_t i = 0; i < count; i++) {
        moods[i] = mood_between(&rounds[i].before, &rounds[i].after, &gate->best);
        gate->quiet_readings += moods[i] == MOOD_QUIET;
    }
}

/* Both programs are compared within one mood, the quiet one where there is enough of it, so that a
 * neighbour does not silence the gate; where moods changed too often, in all. */
static void add_figure(struct gate *gate, struct gate_case *c, const struct round *rounds,
                       size_t count)
{
    enum mood *moods = memory_new(count, sizeof *moods);
    find_moods(gate, c, rounds, count, moods);
    static const unsigned moods_by_turns[] = {1u << MOOD_QUIET, 1u << MOOD_DISTURBED, ALL_MOODS};
    double figure = NAN;
    int turn = 0;
    while (isnan(figure) && turn < 3)
        figure = figure_of(c, rounds, moods, count, moods_by_turns[turn++]);
    struct verdict_launches *launches = verdict_next(&c->evidence);
    if (!isnan(figure)) {
        launches->quiet[launches->count] = turn == 1;
        launches->log_ratio[launches->count++] = figure;
        c->rounds += count;
        c->old_seconds = median_seconds(rounds, count, true);
        c->new_seconds = median_seconds(rounds, count, false);
    }
    free(moods);
}

/* Of a case that needs no long visits: what it varies by sits between launches, and more of them
 * say more than longer ones. */
static double slice_for(const struct gate_case *c, double slice)
{
    const struct verdict_launches *l = &c->evidence.first;
    double n = (double)(c->evidence.first.count + c->evidence.again.count);
    if (l->count < LEAST_FIRST_LAUNCHES)
        return slice;
    double within = c->spread.draw / n / sqrt(fmax(c->spread.draws / n, 1.0));
    double rounds =
        c->spread.round / n / sqrt(fmax(c->spread.rounds * c->spread.draws / n / n, 1.0));
    bool between = stats_standard_deviation(l->log_ratio, l->count) > 1.5 * hypot(within, rounds);
    return between ? fmin(slice, BRIEF_SLICE) : slice;
}

/* ---- Launches -------------------------------------------------------------------------------- */

static size_t count_open(const struct gate *gate)
{
    size_t open = 0;
    for (size_t i = 0; i < gate->count; i++)
        open += !gate->cases[i].judgement.settled;
    return open;
}

static void say(const struct gate *gate, double left, size_t open)
{
    char text[160];
    if (!gate->options.progress)
        return;
    snprintf(text, sizeof text, "launch %zu: %zu of %zu cases are open, at most %.0f s left",
             gate->launches + 1, open, gate->count, left > 0.0 ? left : 0.0);
    gate->options.progress(text);
}

/* Starts both programs, and visits every open case once, in random order. False: they cannot be
 * started. */
static bool run_launch(struct gate *gate, struct launch *l, double slice, double end)
{
    size_t *order = memory_new(gate->count, sizeof *order);
    struct round *rounds = memory_new(MOST_ROUNDS, sizeof *rounds);
    if (timer_now() > l->look_again) {
        l->cpu = timer_idlest_cpu();
        l->look_again = timer_now() + LOOK_AGAIN;
    }
    bool pinned = gate->cases[0].threads == 1 && l->cpu >= 0 && timer_pin_to(l->cpu), good;
    stats_shuffle(gate->count, order, l->state);
    good = start_launch(l);
    for (size_t i = 0; i < gate->count && good && timer_now() < end; i++) {
        struct gate_case *c = &gate->cases[order[i]];
        if (c->judgement.settled)
            continue;
        size_t count = take_rounds(gate, l, c, slice_for(c, slice), rounds);
        if (c->judgement.settled) { /* given up: what is left of it is not to be trusted */
            stop_launch(l);
            good = start_launch(l);
            continue;
        }
        add_figure(gate, c, rounds, count);
        if (gate->options.launches == 0)
            c->judgement = verdict_judge(&c->evidence, gate->options.threshold, gate->count);
        else
            c->judgement.settled = c->evidence.first.count >= gate->options.launches;
    }
    stop_launch(l);
    if (pinned)
        timer_unpin();
    gate->launches++;
    free(rounds);
    free(order);
    return good;
}

/* Before the first round is judged by them. */
static void learn_best(struct gate *gate)
{
    bool pinned = timer_pin();
    mood_learn_now(&gate->best);
    if (pinned)
        timer_unpin();
}

void gate_run(struct gate *gate)
{
    uint64_t state = gate->options.seed ^ (uint64_t)(1e9 * timer_now());
    double start = timer_now(), end = start + gate->options.seconds;
    char *program = realpath(gate->options.baseline, NULL);
    struct program old_program, new_program;
    program_make(&old_program, program);
    program_make(&new_program, "/proc/self/exe");
    struct launch launch = {.old_program = &old_program,
                            .new_program = &new_program,
                            .limit = gate->options.limit,
                            .state = &state};
    check_cases(gate, &launch, end);
    learn_best(gate);
    for (size_t open; (open = count_open(gate)) > 0 && timer_now() < end;) {
        double left = end - timer_now();
        double part = gate->launches < LEAST_FIRST_LAUNCHES ? FIRST_PART : LATER_PART;
        double slice = part * left / LEAST_FIRST_LAUNCHES / (double)open;
        slice = fmin(fmax(slice, SHORTEST_SLICE), LONGEST_SLICE);
        say(gate, left, open);
        if (!run_launch(gate, &launch, slice, end)) {
            for (size_t i = 0; i < gate->count; i++)
                if (!gate->cases[i].judgement.settled)
                    give_up(&gate->cases[i], "the programs could not be started: %s",
                            strerror(errno));
        }
    }
    for (size_t i = 0; i < gate->count; i++)
        gate->tally[gate->cases[i].judgement.verdict]++;
    gate->verdict = verdict_of_run(gate->tally);
    gate->seconds = timer_now() - start;
    program_free(&old_program);
    program_free(&new_program);
    free(program);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static struct gate_case *add_case(struct gate *gate)
{
    gate->cases = memory_grow(gate->cases, gate->count + 1, sizeof *gate->cases);
    struct gate_case *c = &gate->cases[gate->count++];
    memset(c, 0, sizeof *c);
    c->judgement.verdict = GATE_INCONCLUSIVE;
    c->judgement.ratio = (struct estimate){.median = NAN, .low = NAN, .high = NAN};
    return c;
}

void gate_make(struct gate *gate, const struct gate_options *options, const struct plan *plan,
               const char *const *variants, size_t variant_count)
{
    memset(gate, 0, sizeof *gate);
    gate->options = *options;
    for (size_t i = 0; i < plan->count; i++)
        for (size_t v = 0; v < variant_count; v++) {
            struct gate_case *c = add_case(gate);
            c->plan = &plan->cases[i];
            c->threads = c->plan->threads;
            snprintf(c->kernel, sizeof c->kernel, "%s", c->plan->kernel->name);
            snprintf(c->variant, sizeof c->variant, "%s", variants[v]);
            shape_write(c->plan, c->shape, sizeof c->shape);
        }
}

/* A case that nobody can compare. */
static void add_lost(struct gate *gate, const char *kernel, const char *variant, const char *why)
{
    struct gate_case *c = add_case(gate);
    snprintf(c->kernel, sizeof c->kernel, "%s", kernel);
    snprintf(c->shape, sizeof c->shape, "-");
    snprintf(c->variant, sizeof c->variant, "%s", variant);
    make_plain(c->kernel);
    make_plain(c->variant);
    give_up(c, "%s", why);
}

void gate_add_without_case(struct gate *gate, const char *kernel, const char *why)
{
    add_lost(gate, kernel, "-", why);
}

/* Reads the list of a mmk-bench. False: it is none. */
static bool read_list(struct gate *gate, struct child *child, bool all_kernels, bool all_variants)
{
    char line[LINE], name[64];
    const struct variant *ours;
    size_t variant_count = variants_list(&ours);
    enum { NOWHERE, KERNELS, VARIANTS } part = NOWHERE;
    bool listed = false;
    double end = timer_now() + gate->options.limit;
    for (int i = 0;
         i < MOST_LISTED && timer_now() < end &&
         child_ask_within(child, NULL, line, sizeof line, gate->options.limit) == CHILD_ANSWERED;
         i++) {
        if (line[0] != ' ') {
            part = strncmp(line, "kernels", 7) == 0    ? KERNELS
                   : strncmp(line, "variants", 8) == 0 ? VARIANTS
                                                       : NOWHERE;
            continue;
        }
        if (part == KERNELS && line[2] != ' ' && sscanf(line, " %63s", name) == 1) {
            listed = true;
            if (all_kernels && !kernel_find(name))
                add_lost(gate, name, "-", "this build has no such kernel");
        }
        char *rest = line, *word;
        while (part == VARIANTS && all_variants && (word = strsep(&rest, " ")) != NULL) {
            size_t v = 0;
            while (v < variant_count && strcmp(ours[v].name, word) != 0)
                v++;
            if (v == variant_count && word[0] != '\0')
                add_lost(gate, "-", word, "this build has no such variant");
        }
    }
    return listed;
}

bool gate_add_missing(struct gate *gate, bool all_kernels, bool all_variants, char *error,
                      size_t error_bytes)
{
    char *program = realpath(gate->options.baseline, NULL); /* with a /: not looked for in PATH */
    struct child child = {0};
    bool listed = false, possible = program && access(program, X_OK) == 0;
    int problem = errno;
    if (possible) {
        const char *const argv[] = {program, "--list", NULL};
        possible = child_start(&child, argv, NULL);
        problem = errno;
        listed = possible && read_list(gate, &child, all_kernels, all_variants);
        listed = child_stop_within(&child, LONGEST_ENDING) && listed;
    }
    if (!listed)
        snprintf(error, error_bytes,
                 "--gate %s: it cannot be run (%s); give the path of an mmk-bench that was built "
                 "from the baseline",
                 gate->options.baseline, possible ? "it is no mmk-bench" : strerror(problem));
    free(program);
    return listed;
}

void gate_free(struct gate *gate)
{
    free(gate->cases);
    free(gate->readings);
    memset(gate, 0, sizeof *gate);
}

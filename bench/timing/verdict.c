/* verdict.c - what launches of two builds say of a case.
 * SPDX-License-Identifier: MIT
 */
#include "verdict.h"

#include <assert.h>
#include <math.h>

static_assert(FIRST_LOOK << (LOOKS - 1) <= MOST_LAUNCHES, "a proof has room for its last look");

const char *gate_verdict_name(enum gate_verdict verdict)
{
    static const char *const names[] = {"PASS", "REGRESSED", "INCONCLUSIVE", "NOT COMPARED"};
    return names[verdict];
}

struct verdict_launches *verdict_next(struct evidence *evidence)
{
    return evidence->suspect ? &evidence->again : &evidence->first;
}

/* Looks become rare: each of them may take chance for a verdict. */
static bool is_look(size_t count)
{
    if (count < LEAST_FIRST_LAUNCHES)
        return false;
    return count <= 16 || (count <= 64 && count % 4 == 0) || count % 16 == 0;
}

/* Launches that nobody has suspected of anything: is there something? */
static struct judgement judge_first(struct evidence *evidence, double most)
{
    const struct verdict_launches *l = &evidence->first;
    struct estimate e = stats_centre(l->log_ratio, l->count);
    struct judgement j = {.verdict = GATE_INCONCLUSIVE, .ratio = stats_from_logs(e)};
    if (!is_look(l->count))
        return j;
    if (e.low > 0.0 && e.median > most / 2) {
        evidence->suspect = true;
        return j;
    }
    if (e.high < most)
        j.verdict = GATE_PASS;
    j.settled = j.verdict == GATE_PASS || l->count == MOST_FIRST_LAUNCHES;
    return j;
}

#define LEAST_WIDENING 2.0 /* of launches of which each is to .6 the one before */

/* By how much a launch that is like the one before makes intervals wider. */
static double widening(const struct verdict_launches *l)
{
    struct estimate e = stats_centre(l->log_ratio, l->count);
    return e.effective > 0.0 ? sqrt((double)l->count / e.effective) : 1.0;
}

/* As stats_chance_above, but of values as much farther apart as an interval would be wider: how
 * alike launches are is hard to see in few, so that the first ones are asked, too, and some
 * likeness is taken for granted. */
static double chance_above(const struct evidence *evidence, const struct estimate *e)
{
    const struct verdict_launches *l = &evidence->again;
    double wider = fmax(LEAST_WIDENING, fmax(widening(l), widening(&evidence->first))),
           apart[MOST_LAUNCHES];
    for (size_t i = 0; i < l->count; i++)
        apart[i] = e->median + wider * (l->log_ratio[i] - e->median);
    return stats_chance_above(apart, l->count, 0.0);
}

static struct judgement judge_again(const struct evidence *evidence, double most, double chance)
{
    const struct verdict_launches *l = &evidence->again;
    struct estimate e = stats_centre(l->log_ratio, l->count);
    struct judgement j = {.verdict = GATE_INCONCLUSIVE, .ratio = stats_from_logs(e)};
    size_t look = 0;
    while (look < LOOKS && l->count != (size_t)FIRST_LOOK << look)
        look++;
    if (look == LOOKS)
        return j;
    if (e.median > most / 2 && e.low > 0.0 && chance_above(evidence, &e) <= chance)
        j.verdict = GATE_REGRESSED;
    else if (e.high < most)
        j.verdict = GATE_PASS;
    j.settled = j.verdict != GATE_INCONCLUSIVE || look + 1 == LOOKS;
    return j;
}

struct judgement verdict_judge(struct evidence *evidence, double threshold, size_t cases)
{
    double most = log1p(threshold);
    if (!evidence->suspect) {
        struct judgement first = judge_first(evidence, most);
        if (!evidence->suspect)
            return first;
    }
    if (evidence->again.count == 0) { /* its row says why it is a suspect */
        struct estimate e = stats_centre(evidence->first.log_ratio, evidence->first.count);
        return (struct judgement){.verdict = GATE_INCONCLUSIVE, .ratio = stats_from_logs(e)};
    }
    double chance = VERDICT_CHANCE / LOOKS / (double)(cases ? cases : 1);
    return judge_again(evidence, most, chance);
}

enum gate_verdict verdict_of_run(const size_t tally[4])
{
    static const enum gate_verdict gravest_first[] = {GATE_NOT_COMPARED, GATE_REGRESSED,
                                                      GATE_INCONCLUSIVE, GATE_PASS};
    for (int i = 0; i < 4; i++)
        if (tally[gravest_first[i]] > 0)
            return gravest_first[i];
    return GATE_NOT_COMPARED;
}

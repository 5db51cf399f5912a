/* verdict.h - what launches of two builds say of a case.
 * SPDX-License-Identifier: MIT
 *
 * A run of the gate compares many cases, and some seem slower by chance. Therefore what seems
 * slower is tried again, in fresh launches, and only these count from then on: a suspicion and its
 * proof are of different samples. The proof is looked at four times; the chance that any of all
 * cases passes it wrongly is at most VERDICT_CHANCE in a run.
 */
#ifndef MMK_BENCH_VERDICT_H
#define MMK_BENCH_VERDICT_H

#include "../base/stats.h"

#include <stdbool.h>
#include <stddef.h>

enum gate_verdict {
    GATE_PASS = 0,
    GATE_REGRESSED = 1,
    GATE_INCONCLUSIVE = 2,
    GATE_NOT_COMPARED = 3 /* missing, crashed, hung, wrong: nothing is known of its speed */
};

const char *gate_verdict_name(enum gate_verdict verdict);

#define VERDICT_CHANCE 0.05

enum {
    LEAST_FIRST_LAUNCHES = 8,
    MOST_FIRST_LAUNCHES = 320,
    FIRST_LOOK = 16, /* launches of a proof: it is looked at with so many, and twice as many ... */
    LOOKS = 4,
    MOST_LAUNCHES = MOST_FIRST_LAUNCHES
};

/* A figure a launch: ln of the new build's time over the baseline's. */
struct verdict_launches {
    double log_ratio[MOST_LAUNCHES];
    bool quiet[MOST_LAUNCHES]; /* of rounds in which the core was undisturbed */
    size_t count;
};

/* All that is known of a case. */
struct evidence {
    struct verdict_launches first, again;
    bool suspect; /* slower in the first launches: those that follow go into `again` */
};

struct judgement {
    enum gate_verdict verdict; /* as things are */
    bool settled;              /* more launches would change nothing */
    struct estimate ratio;     /* new over baseline, of the launches that count */
};

/* The launches that the next figure belongs to. */
struct verdict_launches *verdict_next(struct evidence *evidence);

/* threshold: of what ratio a slow-down matters, 0.02 for 2 %. cases: of the whole run.
 *     REGRESSED     slower in the first launches, and in the fresh ones with a chance of at most
 *                   VERDICT_CHANCE / (LOOKS cases), by a median above half the threshold; the
 *                   chance is that of launches twice as far apart as they are, for they may be
 *                   alike
 *     PASS          else, the interval ends below the threshold. It is looked for after every few
 *                   launches, so that a build slower by just the threshold comes through in up to
 *                   15 % of cases, by 3 % in up to 3 %, where launches vary by 5 %; in 1 % and none
 *                   where they vary by 1 % (test_gate.c)
 *     INCONCLUSIVE  else */
struct judgement verdict_judge(struct evidence *evidence, double threshold, size_t cases);

/* The verdict of a run: NOT_COMPARED if any case is that, else REGRESSED, else INCONCLUSIVE, else
 * PASS; of no case at all NOT_COMPARED. tally[v]: how many cases have verdict v. */
enum gate_verdict verdict_of_run(const size_t tally[4]);

#endif

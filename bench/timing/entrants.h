/* entrants.h - who takes part in the rounds: checked, quick enough for the time, at a pace of its
 * own.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ENTRANTS_H
#define MMK_BENCH_ENTRANTS_H

#include "job.h"
#include "sampler.h"

enum { CALLS_BEFORE = 2 }; /* of a long call: the check, and finding the pace */

/* The oracle, and what the compiler makes of our source, are timed even where their share is too
 * small, when all launches are over within this time. */
#define CHEAP_SECONDS 0.25

/* Each kind has an equal part of the time. Hand-written variants and peers are what a run is for:
 * they do a round a launch, if there is any time left for that. */
enum kind { HAND_WRITTEN, PEERS, BASELINES, KINDS };

/* One thing to be measured in a round: a variant of a case, or a peak with a case's threads. */
struct entrant {
    const struct variant *variant; /* NULL: a peak */
    size_t at;                     /* which of the cases */
    size_t column;
    enum peak peak;
    struct pace pace;
    double cost;    /* seconds in a round */
    size_t rounds;  /* in how many it takes part */
    void *prepared; /* what its kernel prepared for it */
};

/* Cases that are timed in the same rounds. */
struct group {
    struct job *job; /* open, and the same but for threads and workspace */
    const struct plan_case *cases;
    struct result *results;
    size_t count;
    const struct sampler_options *options;
    /* What an earlier launch found, one a case; NULL: this is the first. */
    const struct result *const *known;
    size_t launches; /* that are to fit into `share` and `left`: all, or this one */
    /* Whoever comes first when time is short stands first. */
    struct entrant *entrants;
    size_t entrant_count;
    double start, share, left;
    double opening;      /* seconds that opening the job took */
    double widest_check; /* seconds that the check of the widest of ours took */
};

/* ---- A group --------------------------------------------------------------------------------- */

/* Gives every result its columns. False: no memory. */
bool entrants_add_columns(struct group *group);

/* Lists variants as entrants by their rank, of ours the widest at the head. False: no memory. */
bool entrants_list(struct group *group);

/* Drops those that cannot do the case, or not a round a launch in time, as far as a small shape can
 * tell; `spent` seconds go to the oracle. */
void entrants_drop_slow(struct group *group, double spent);

/* For every variant of every case why it was not timed. */
void entrants_drop_all(struct group *group, const char *note);

/* Checks them, and finds their paces and what a round of each costs; who fails stays out. */
void entrants_admit(struct group *group);

/* The same in a later launch: who took part in the first takes part at the same pace, and the rest
 * is not listed any more. */
void entrants_admit_again(struct group *group);

/* Prepares those that run in this process anew, after the job was closed and opened. False: there
 * is no memory. */
bool entrants_prepare_again(struct group *group);

/* Of `share` seconds what falls to each entrant of a kind. */
void entrants_fair_parts(const struct group *group, double share, double part[KINDS]);

/* Whether of the time left a variant may have what it needs, after those before it have spent
 * some. */
bool entrants_may_spend(const struct group *group, const struct variant *variant, double needed,
                        double spent, double left);

/* The last of the hand-written; NULL: there is none. */
const struct variant *entrants_widest(const struct group *group);

/* The first case with as many threads: what does not depend on the workspace is measured for it,
 * and holds for all of them. */
size_t entrants_same_threads(const struct group *group, size_t at);

/* Seconds that the oracle takes on all CPUs, as far as a small shape can tell. */
double entrants_estimate_oracle(const struct plan_case *plan, uint64_t seed);

/* For what runs next; with one thread the calling thread stays where it is. */
void entrants_set_threads(int threads);

/* ---- One of them ----------------------------------------------------------------------------- */

enum kind entrant_kind(const struct variant *variant);

/* Where its samples go. */
struct column *entrant_column(const struct group *group, const struct entrant *entrant);

/* Seconds of a call, as far as a small shape can tell. */
double entrant_estimate(const struct group *group, const struct entrant *entrant);

/* Takes the job over to the entrant's case, with what was prepared for the entrant. */
void entrant_take_over(struct group *group, const struct entrant *entrant);

/* Gives back what was prepared for it. */
void entrant_release(struct group *group, struct entrant *entrant);

/* Notes that it is not timed, for a call takes `seconds`. */
void entrant_too_slow(struct column *column, double seconds);

/* Whether `seconds` are those of a sample that could not be taken: a peer's process that has gone
 * cannot be timed any more, nor what returns an error. Then it is noted. */
bool entrant_has_gone(struct column *column, double seconds);

#endif

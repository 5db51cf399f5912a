/* report.c - accuracy as tables.
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include "../base/table.h"
#include "exact.h"

#include <math.h>
#include <string.h>

/* "5.1e-5"; "-" where there is none. */
static void text_error(double error, char text[16])
{
    int exponent = error > 0.0 ? (int)floor(log10(error)) : 0;
    double digits = error / pow(10.0, exponent);
    if (digits >= 9.95) {
        digits /= 10.0;
        exponent++;
    }
    if (isnan(error))
        snprintf(text, 16, "-");
    else if (error == 0.0)
        snprintf(text, 16, "0");
    else
        snprintf(text, 16, "%.1fe%d", digits, exponent);
}

/* All three of an output; "-" where it is none of the loss's. */
static void errors_cell(struct table *table, const struct accuracy_point *point, enum output output)
{
    char text[JUDGED_COUNT][16];
    for (int j = 0; j < JUDGED_COUNT; j++)
        text_error(point->error[j][output], text[j]);
    if (isnan(point->error[JUDGED_TOTAL][output]))
        table_cell(table, "-");
    else
        table_cell(table, "%s %s %s", text[JUDGED_TOTAL], text[JUDGED_EXCESS], text[JUDGED_TORCH]);
}

static void report_side(FILE *out, const struct accuracy *a, bool x_long, bool equal)
{
    struct table table;
    table_open(&table, "lrrrrrrr");
    static const char *const titles[] = {"loss", "rows", "loss",          "lse",
                                         "dX",   "dY",   "d logit_scale", "d bias"};
    table_titles(&table, titles);
    for (size_t loss = 0; loss < ACCURACY_LOSSES; loss++)
        for (size_t i = 0; i < a->count; i++) {
            const struct accuracy_point *point = &a->points[i];
            if (point->loss != loss || point->x_long != x_long || point->equal != equal)
                continue;
            table_cell(&table, "%s", accuracy_loss(loss));
            table_cell(&table, "%zu", x_long ? point->m : point->n);
            for (int o = 0; o < OUTPUTS; o++)
                errors_cell(&table, point, (enum output)o);
        }
    table_close(&table, out);
}

static void report_logits(FILE *out, const struct accuracy *a, int level)
{
    struct table table;
    char text[16];
    table_heading(out, level, "Logits of rows without negative elements");
    fprintf(out,
            "Greatest relative error of %d x %d dot products of d elements 0.25 + |N(0, 1)|, which "
            "do not cancel. `one chain`: mmk_similarity_matrix. `chains of %d`: fused, each added "
            "in float to those before. OpenBLAS's sgemm: %s.\n\n",
            LOGITS_ROWS, LOGITS_ROWS, LOGITS_BLOCK, a->openblas);
    table_open(&table, "rrrr");
    table_cell(&table, "d");
    table_cell(&table, "one chain");
    table_cell(&table, "chains of %d", LOGITS_BLOCK);
    table_cell(&table, "OpenBLAS");
    for (size_t i = 0; i < a->logits_count; i++) {
        const struct logits_point *p = &a->logits[i];
        const double errors[] = {p->chain, p->blocked, p->sgemm};
        table_cell(&table, "%zu", p->d);
        for (size_t e = 0; e < 3; e++) {
            text_error(errors[e], text);
            table_cell(&table, "%s", text);
        }
    }
    table_close(&table, out);
}

void accuracy_report(FILE *out, const struct accuracy *a, int level)
{
    static const char *const titles[2][2] = {
        {"Y is long: 256 x n", "Y is long: 256 x n, n - 256 rows equal (uniformity: n)"},
        {"X is long: m x 256", "X is long: m x 256, all m rows equal"}};
    const struct machine *machine = &a->machine;
    char library[64], error[16];
    size_t most = a->count > 0 ? a->points[a->count - 1].m : ACCURACY_SHORT;
    machine_text_library(machine, library, sizeof library);
    text_error(ldexp((double)exact_roundings(most, ACCURACY_SHORT, ACCURACY_DIM), -53), error);
    table_heading(out, level, "Accuracy");
    fprintf(out, "%s, %d CPUs; mmk %s, commit %s; %s; %s, %.0f s, seed %llu.\n\n", machine->cpu,
            machine->cpus, library, machine->commit, machine->compiler, machine->date, a->seconds,
            (unsigned long long)a->seed);
    fprintf(out,
            "Errors are max |error| / max |right| over an output. A cell: total, excess, PyTorch. "
            "`total`: against the formula in double, from the same float rows. `excess`: against "
            "the formula in double from our own float similarities, what the loss adds to the "
            "rounding of its logits. `PyTorch`: total, of float32 on the CPU: %s. The results in "
            "double are themselves wrong by less than %s of the sum of magnitudes.\n\n"
            "d = %d, normal rows of length about 1, logit scale %.3g, bias %.0f (sigmoid), weights "
            "1 and 0: MoCo's shape where Y is long, a classification by 256 prototypes (y_{i mod "
            "256} belongs to x_i) where X is. The sums over the long side are those in dX, or in "
            "dY. Equal rows are the worst for a sum in float, as roundings all go one way.\n\n",
            a->torch, error, ACCURACY_DIM, (double)ACCURACY_SCALE, (double)ACCURACY_BIAS);
    for (int x_long = 0; x_long < 2; x_long++)
        for (int equal = 0; equal < 2; equal++) {
            table_heading(out, level + 1, titles[x_long][equal]);
            report_side(out, a, x_long, equal);
        }
    report_logits(out, a, level + 1);
}

/* "0.031"; "-" where there is none. */
static void text_share(double share, char text[16])
{
    if (share < 0.0 || isnan(share))
        snprintf(text, 16, "-");
    else
        snprintf(text, 16, "%.2g", share);
}

static void worst_row(struct table *table, const struct worst_point *point,
                      const struct worst_of *who, bool ours)
{
    char error[16], bound[16], found[16];
    text_error(who->of_result, error);
    text_share(who->of_bound, bound);
    text_share(who->found, found);
    table_cell(table, "%s", ours ? point->kernel : "");
    table_cell(table, "%s", ours ? point->shape : "");
    table_cell(table, "%s", who->name);
    table_cell(table, "%s", ours ? point->same_on : "");
    table_cell(table, "%s", error);
    table_cell(table, "%s", bound);
    table_cell(table, "%s", who->fill);
    table_cell(table, "%s", found);
    table_cell(table, "%zu", who->steps);
}

void accuracy_report_kernels(FILE *out, const struct accuracy *a, int level)
{
    static const char *const titles[] = {"kernel",   "shape", "library", "same bits on", "of right",
                                         "of bound", "rows",  "found",   "steps"};
    struct table table;
    if (a->worst_count == 0)
        return;
    table_heading(out, level, "Every kernel: the worst error");
    fprintf(
        out,
        "`of right`: max |error| / max |right| over an output, the worst output and seed, of "
        "normal rows; it says nothing of the kernel where right results cancel to near 0. `of "
        "bound`: the worst error in units of the bound that is derived for the very rows and "
        "element, in our order of summation, over nine kinds of rows: the limit of mmk-check is 1, "
        "for ours; for others it is nothing but a unit. `found`: the same after hill climbing "
        "over the rows, from those that were worst, in so many steps; more steps may find more. "
        "A chain of d additions is granted 6 sqrt(d) + 1 roundings, six standard deviations if "
        "they go up and down at random. Rows that were searched for may make them go one way, "
        "and so come above 1, but never above d of them. Right is the formula in double; "
        "test-oracle_mpfr holds that against 300 bits. `same bits on`: of "
        "ours, at the rows that were found. Exact, and so not here: top-k, the indices of a "
        "search. What a library lacks, it does not compute.%s%s\n\n",
        a->without_peers[0] ? " Not installed: " : "", a->without_peers);
    table_open(&table, "llllrrlrr");
    table_titles(&table, titles);
    for (size_t i = 0; i < a->worst_count; i++)
        for (size_t w = 0; w < a->worst[i].who_count; w++)
            worst_row(&table, &a->worst[i], &a->worst[i].who[w], w == 0);
    table_close(&table, out);
}

/* multiplicity.c - what it costs to take many-to-many pairs for one-to-one, in training and in
 * evaluation.
 * SPDX-License-Identifier: MIT
 *
 * After Chun 2025, "Multiplicity is an Inevitable and Inherent Challenge in Multimodal Learning"
 * (arXiv 2505.19614). In a batch of n images and their captions other captions fit an image, too.
 * One-to-one losses push them away; losses with several positives (mmk_infonce with targets,
 * mmk_sigmoid) know them, all of them or the share that somebody annotated. Two encoders,
 * d-128-128-128-16 with LeakyReLU 0.01, are trained with each on cosine similarities with a learned
 * scale, and retrieve in both directions. Measured by the caption that was written for an image
 * (R@1 own) and by all that fit (R@1 any, R-Precision, mAP@R), the losses change places.
 */
#include "../base/console.h"
#include "../base/new_file.h"
#include "../base/table.h"
#include "../data/relevance.h"
#include "../machine/timer.h"
#include "bars.h"
#include "dataset.h"
#include "product.h"
#include "random.h"
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256, HIDDEN = 128, OUTPUTS = 16, DATASETS = 2 };
static const float rate = 1e-3f, clip = 2.0f, slope = 0.01f;
static const char *const default_svg = "multiplicity.svg";

static const struct {
    const char *name;
    enum loss loss;
    double annotated;  /* share of the pairs that fit and are known to; a pair's own always is */
    float scale, bias; /* at first: CLIP's and SigLIP's */
} runs[] = {{"InfoNCE, one-to-one", LOSS_INFONCE, 0, 1 / 0.07f, 0},
            {"InfoNCE, all positives", LOSS_MULTI, 1, 1 / 0.07f, 0},
            {"InfoNCE, 25 % annotated", LOSS_MULTI, 0.25, 1 / 0.07f, 0},
            {"sigmoid, one-to-one", LOSS_SIGMOID, 0, 10, -10},
            {"sigmoid, all positives", LOSS_SIGMOID, 1, 10, -10}};
enum { RUNS = sizeof runs / sizeof runs[0], ONE_TO_ONE = 0, ALL_POSITIVES = 1 };

/* What InfoNCE with all positives must lose and win against one-to-one, on the synthetic data. */
static const double least_own_loss = 0.25, least_map_gain = 0.10;

enum metric { OWN, ANY, R_PRECISION, MAP_AT_R, METRICS };
static const char *const metric_name[METRICS] = {"R@1 own", "R@1 any", "R-Precision", "mAP@R"};
static const char *const direction_name[2] = {"image to caption", "caption to image"};

struct outcome {
    double value[2][METRICS]; /* [direction] */
    float first_loss;
};

/* ---- Training -------------------------------------------------------------------------------- */

struct feed {
    const struct dataset *dataset;
    double annotated;
    uint64_t annotators;
    size_t row_start[BATCH + 1];
    uint32_t column[BATCH * BATCH];
    struct mmk_csr positives;
};

static void batch(const void *context, int side, size_t step, size_t rows, float *out)
{
    const struct feed *f = context;
    f->dataset->observe(f->dataset, side, false, step * rows, rows, out);
}

/* Row i has its own caption, and of the others that fit those which were annotated. */
static const struct mmk_csr *positives(void *context, size_t step)
{
    struct feed *f = context;
    int64_t label[BATCH];
    size_t count = 0;
    for (size_t i = 0; i < BATCH; i++)
        label[i] = f->dataset->label(f->dataset, 0, false, step * BATCH + i);
    for (size_t i = 0; i < BATCH; i++) {
        f->row_start[i] = count;
        for (size_t j = 0; j < BATCH; j++)
            if (i == j ||
                (label[i] == label[j] &&
                 random_uniform(f->annotators, (step * BATCH + i) * BATCH + j) < f->annotated))
                f->column[count++] = (uint32_t)j;
    }
    f->row_start[BATCH] = count;
    f->positives = (struct mmk_csr){.row_start = f->row_start, .column = f->column};
    return &f->positives;
}

static void open_trainer(struct trainer *t, size_t run, struct feed *feed,
                         const struct options *options)
{
    static const char *const names[] = {"image encoder", "caption encoder"};
    const struct dataset *s = feed->dataset;
    bool one_to_one = runs[run].annotated <= 0;
    *t = (struct trainer){.training = {.rows = BATCH,
                                       .steps = options->steps ? options->steps : s->steps,
                                       .rate = rate,
                                       .clip = clip,
                                       .threads = options->threads},
                          .pairs = {batch, one_to_one ? NULL : positives, feed}};
    for (int side = 0; side < 2; side++)
        encoder_open(&t->encoder[side], 4,
                     (const size_t[]){s->width[side], HIDDEN, HIDDEN, HIDDEN, OUTPUTS}, slope,
                     BATCH, random_stream(options->seed, names[side]));
    objective_open(&t->objective, runs[run].loss, MMK_COSINE, runs[run].scale, runs[run].bias, true,
                   BATCH, OUTPUTS, one_to_one ? BATCH : BATCH * BATCH, options->threads);
    trainer_open(t);
}

/* ---- Evaluation ------------------------------------------------------------------------------ */

static float *encode(struct trainer *t, const struct dataset *s, int side, bool test,
                     uint64_t first, size_t rows)
{
    float *observed = floats(rows * s->width[side]), *encoded = floats(rows * OUTPUTS);
    s->observe(s, side, test, first, rows, observed);
    encoder_encode(&t->encoder[side], rows, observed, encoded);
    free(observed);
    return encoded;
}

static struct mmk_matrix encodings(const float *encoded, size_t rows)
{
    return (struct mmk_matrix){.data = encoded, .rows = rows, .columns = OUTPUTS};
}

/* Labels of the test items of a side: by what fits, or each by the image it belongs to. */
static int64_t *test_labels(const struct dataset *s, int side, bool own)
{
    int64_t *label = allocate(s->test[side] * sizeof *label);
    for (size_t i = 0; i < s->test[side]; i++)
        label[i] = own ? (int64_t)(side == 0 ? i : i / s->captions) : s->label(s, side, true, i);
    return label;
}

static struct relevance relevance_to(const struct dataset *s, int from, bool own)
{
    struct relevance relevance;
    int64_t *queries = test_labels(s, from, own), *items = test_labels(s, 1 - from, own);
    if (!relevance_of_labels(&relevance, s->test[from], queries, s->test[1 - from], items))
        refuse("there is no memory for what is relevant; close something");
    free(queries);
    free(items);
    return relevance;
}

static void measure(const struct dataset *s, int from, size_t depth, const uint32_t *rankings,
                    int threads, double value[METRICS])
{
    struct metrics all;
    for (int own = 0; own < 2; own++) {
        struct relevance relevance = relevance_to(s, from, own);
        struct metrics_wanted wanted = {.k = {1}, .k_count = 1, .deep = !own};
        must_be_good(relevance_measure(&relevance, s->test[1 - from], depth, rankings, &wanted,
                                       threads, &all, NULL, NULL),
                     "mmk_retrieval_metrics");
        double counted = (double)all.counted;
        value[own ? OWN : ANY] = all.recall[0] / counted;
        if (!own) {
            value[R_PRECISION] = all.r_precision / counted;
            value[MAP_AT_R] = all.map_at_r / counted;
        }
        relevance_free(&relevance);
    }
}

/* Both directions from one search; rankings as deep as the most items that are relevant. */
static void evaluate(struct trainer *t, const struct dataset *s, int threads, struct outcome *out)
{
    float *encoded[2];
    uint32_t *rankings[2];
    size_t depth[2];
    struct mmk_matrix matrix[2];
    struct mmk_topk_results best[2];
    for (int side = 0; side < 2; side++) {
        struct relevance relevance = relevance_to(s, side, false);
        depth[side] = relevance_count(&relevance, relevance_largest(&relevance));
        relevance_free(&relevance);
        encoded[side] = encode(t, s, side, true, 0, s->test[side]);
        rankings[side] = allocate(s->test[side] * depth[side] * sizeof **rankings);
        matrix[side] = encodings(encoded[side], s->test[side]);
        best[side] = (struct mmk_topk_results){.k = depth[side], .indices = rankings[side]};
    }
    must_be_good(mmk_search(&(struct mmk_search_problem){.x = &matrix[0],
                                                         .y = &matrix[1],
                                                         .similarity = MMK_COSINE},
                            &(struct mmk_search_results){.for_x = &best[0], .for_y = &best[1]},
                            &(struct mmk_options){.threads = threads}),
                 "mmk_search");
    for (int side = 0; side < 2; side++) {
        measure(s, side, depth[side], rankings[side], threads, out->value[side]);
        free(encoded[side]);
        free(rankings[side]);
    }
}

/* ---- What one-to-one labels cost ------------------------------------------------------------- */

static const size_t cost_batches[] = {64, 256, 1024, 4096};
enum { COSTS = sizeof cost_batches / sizeof cost_batches[0] };
static const uint64_t cost_pairs = 1ull << 39; /* pairs that were not trained on */

struct cost {
    double false_negatives; /* a row */
    double share; /* of the gradient by which InfoNCE pushes pairs apart, on true matches */
};

/* Of a fresh batch, with G_ij = (P_ij + Q_ij) / 2 the gradient by the logit of pair i != j. */
static struct cost count_cost(struct trainer *t, const struct dataset *s, size_t rows, int threads)
{
    struct mmk_options options = {.threads = threads};
    float scale = expf(t->objective.parameters[LOG_SCALE]);
    float *encoded_x = encode(t, s, 0, false, cost_pairs, rows),
          *encoded_y = encode(t, s, 1, false, cost_pairs, rows);
    const struct mmk_matrix x = encodings(encoded_x, rows), y = encodings(encoded_y, rows);
    float *similarity = floats(rows * rows), *lse_x = floats(rows), *lse_y = floats(rows);
    int64_t *label = allocate(rows * sizeof *label);
    for (size_t i = 0; i < rows; i++)
        label[i] = s->label(s, 0, false, cost_pairs + i);
    must_be_good(mmk_similarity_matrix(
                     MMK_COSINE, &x, &y,
                     &(struct mmk_matrix_out){.data = similarity, .rows = rows, .columns = rows},
                     &options),
                 "mmk_similarity_matrix");
    must_be_good(mmk_infonce(
                     &(struct mmk_infonce_problem){
                         .x = &x, .y = &y, .similarity = MMK_COSINE, .logit_scale = scale},
                     &(struct mmk_infonce_results){.lse_x = lse_x, .lse_y = lse_y}, &options),
                 "mmk_infonce");
    double matches = 0, on_matches = 0, all = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++) {
            if (i == j)
                continue;
            double logit = (double)(scale * similarity[i * rows + j]);
            double g = (exp(logit - (double)lse_x[i]) + exp(logit - (double)lse_y[j])) / 2;
            all += g;
            if (label[i] == label[j]) {
                matches++;
                on_matches += g;
            }
        }
    free(encoded_x);
    free(encoded_y);
    free(similarity);
    free(lse_x);
    free(lse_y);
    free(label);
    return (struct cost){matches / (double)rows, on_matches / all};
}

/* ---- One data set ---------------------------------------------------------------------------- */

struct watch {
    const char *dataset, *run;
    size_t steps;
};

static void report(void *context, size_t step, float loss)
{
    const struct watch *w = context;
    char line[160];
    snprintf(line, sizeof line, "%s, %s: step %zu of %zu, loss %.3f", w->dataset, w->run, step,
             w->steps, (double)loss);
    progress(line);
}

static void run_dataset(const struct dataset *s, const struct options *options,
                        struct outcome out[RUNS], struct cost cost[COSTS], struct shares *shares)
{
    struct feed *feed = allocate(sizeof *feed);
    for (size_t run = 0; run < RUNS; run++) {
        struct trainer trainer;
        *feed = (struct feed){.dataset = s,
                              .annotated = runs[run].annotated,
                              .annotators = random_stream(options->seed, "annotators")};
        open_trainer(&trainer, run, feed, options);
        struct watch w = {s->name, runs[run].name, trainer.training.steps};
        out[run].first_loss = trainer_run(&trainer, report, &w);
        shares_add(shares, &trainer);
        evaluate(&trainer, s, options->threads, &out[run]);
        for (size_t c = 0; run == ONE_TO_ONE && c < COSTS; c++)
            cost[c] = count_cost(&trainer, s, cost_batches[c], options->threads);
        trainer_close(&trainer);
    }
    free(feed);
}

/* ---- Report ---------------------------------------------------------------------------------- */

static void print_metrics(const struct outcome out[RUNS])
{
    struct table table;
    table_open(&table, "llrrrr");
    table_titles(&table, (const char *const[]){"trained with", "direction", metric_name[OWN],
                                               metric_name[ANY], metric_name[R_PRECISION],
                                               metric_name[MAP_AT_R]});
    for (size_t run = 0; run < RUNS; run++)
        for (int direction = 0; direction < 2; direction++) {
            table_cell(&table, "%s", direction == 0 ? runs[run].name : " ");
            table_cell(&table, "%s", direction_name[direction]);
            for (int metric = 0; metric < METRICS; metric++)
                table_cell(&table, "%.3f", out[run].value[direction][metric]);
        }
    table_close(&table, stdout);
}

static void print_cost(const struct cost cost[COSTS])
{
    struct table table;
    printf("What one-to-one labels cost, after training with them:\n\n");
    table_open(&table, "rrr");
    table_titles(&table, (const char *const[]){"batch", "false negatives a row",
                                               "of the push, on true matches"});
    for (size_t c = 0; c < COSTS; c++) {
        table_cell(&table, "%zu", cost_batches[c]);
        table_cell(&table, "%.1f", cost[c].false_negatives);
        table_cell(&table, "%.0f %%", 100 * cost[c].share);
    }
    table_close(&table, stdout);
}

static void judge(const struct outcome out[RUNS], struct verdicts *v)
{
    for (int direction = 0; direction < 2; direction++) {
        const double *one = out[ONE_TO_ONE].value[direction];
        const double *all = out[ALL_POSITIVES].value[direction];
        verdict_least(v, one[OWN] - all[OWN], least_own_loss, "%s: R@1 own falls by",
                      direction_name[direction]);
        verdict_least(v, all[MAP_AT_R] - one[MAP_AT_R], least_map_gain, "%s: mAP@R rises by",
                      direction_name[direction]);
    }
}

static void draw(const struct dataset datasets[DATASETS], size_t count,
                 struct outcome out[DATASETS][RUNS], const char *path)
{
    const char *groups[RUNS], *panels[DATASETS];
    double value[DATASETS * RUNS * METRICS];
    for (size_t s = 0; s < count; s++) {
        panels[s] = datasets[s].name;
        for (size_t run = 0; run < RUNS; run++) {
            groups[run] = runs[run].name;
            memcpy(value + (s * RUNS + run) * METRICS, out[s][run].value[0],
                   METRICS * sizeof *value);
        }
    }
    struct bars bars = {.title = "Image to caption: the metric decides which loss is better",
                        .panels = count,
                        .groups = RUNS,
                        .series = METRICS,
                        .panel_name = panels,
                        .group_name = groups,
                        .series_name = metric_name,
                        .value = value};
    bars_make(&bars, path);
}

int multiplicity_run(const struct options *o)
{
    struct dataset datasets[DATASETS];
    struct outcome out[DATASETS][RUNS];
    struct cost cost[DATASETS][COSTS];
    struct shares shares = {0};
    struct verdicts verdicts = {.count = 0};
    size_t count = 1;
    char error[4600];
    const char *svg = o->svg ? o->svg : default_svg;
    if (o->selected || o->perturbed || o->dependent || o->loss)
        refuse("--selected, --perturbed, --dependent and --loss belong to misalignment; leave them "
               "out");
    if (!new_file_possible(svg, error, sizeof error))
        refuse("--svg %s", error);
    double start = timer_now();
    progress("reading and drawing");
    dataset_open_concepts(&datasets[0], o->seed);
    bool fashion = dataset_open_fashion(&datasets[1], o->seed, error, sizeof error);
    if (!fashion && dataset_fashion_is_there()) /* what is not installed is left out */
        refuse("%s", error);
    count += fashion;
    for (size_t s = 0; s < count; s++) {
        progress_count(s + 1, count);
        run_dataset(&datasets[s], o, out[s], cost[s], &shares);
    }
    progress_end();
    for (size_t s = 0; s < count; s++) {
        printf("## %s\n\n%s.\n\n", datasets[s].name, datasets[s].about);
        print_metrics(out[s]);
        print_cost(cost[s]);
    }
    printf("From one-to-one InfoNCE to all positives, %s:\n\n", datasets[0].name);
    judge(out[0], &verdicts);
    int status = verdicts_print(&verdicts);
    for (size_t s = 0; s < count; s++)
        for (size_t run = 0; run < RUNS; run++)
            printf("%s, %s: loss %.9g at first\n", datasets[s].name, runs[run].name,
                   (double)out[s][run].first_loss);
    if (!fashion)
        printf("left out: Fashion-MNIST: %s\n", error);
    shares_print(&shares, timer_now() - start, count * RUNS, o->threads);
    draw(datasets, count, out, svg);
    for (size_t s = 0; s < count; s++)
        datasets[s].close(&datasets[s]);
    return status;
}

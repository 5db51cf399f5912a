/* report.c - what mmk-bench retrieve prints.
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include "../../ref/case.h"
#include "../base/console.h"
#include "../base/stats.h"
#include "../base/table.h"
#include "../base/text.h"
#include "../machine/peaks.h"
#include "../machine/resident.h"

#include <stdio.h>
#include <string.h>

static const char *const fashion_classes[FASHION_CLASSES] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

static void open_table(struct table *table, const char *first, const struct metrics_wanted *wanted,
                       bool with_deep)
{
    static char align[TABLE_COLUMNS + 1]; /* one table is open at a time */
    size_t columns = 3 + wanted->k_count + (with_deep ? 2 : 0);
    memset(align, 'r', columns);
    align[0] = 'l';
    align[columns] = '\0';
    table_open(table, align);
    table_cell(table, "%s", first);
    table_cell(table, "counted");
    table_cell(table, "left out");
    for (size_t k = 0; k < wanted->k_count; k++)
        table_cell(table, "Recall@%zu", wanted->k[k]);
    if (with_deep) {
        table_cell(table, "R-Precision");
        table_cell(table, "mAP@R");
    }
}

static void mean_cell(struct table *table, bool there, double sum, size_t count)
{
    if (there && count > 0)
        table_cell(table, "%.4f", sum / (double)count);
    else
        table_cell(table, "-");
}

static void print_row(struct table *table, const char *name, const struct metrics_wanted *wanted,
                      bool with_deep, const struct metrics *sums)
{
    table_cell(table, "%s", name);
    table_cell(table, "%zu", sums->counted);
    table_cell(table, "%zu", sums->left_out);
    for (size_t k = 0; k < wanted->k_count; k++)
        mean_cell(table, true, sums->recall[k], sums->counted);
    if (with_deep) {
        mean_cell(table, wanted->deep, sums->r_precision, sums->counted);
        mean_cell(table, wanted->deep, sums->map_at_r, sums->counted);
    }
}

/* Why R-Precision and mAP@R are missing. */
static void explain_depth(const struct side *side, const char *remedy)
{
    size_t query = relevance_largest(&side->relevance);
    size_t largest = relevance_count(&side->relevance, query);
    if (!side->wanted.deep)
        printf("no R-Precision and mAP@R of the %s: they need rankings as deep as number %zu has "
               "relevant items, %zu, and these go to %zu; %s %zu\n",
               side->name, query, largest, side->depth, remedy, largest);
}

/* Queries that count as misses, and which: the first of them. */
static void name_missed(const struct side *side, const char *why)
{
    enum { NAMED = 5 };
    size_t count = 0;
    if (!side->relevance.missed)
        return;
    for (size_t i = 0; i < side->relevance.queries; i++)
        count += side->relevance.missed[i];
    printf("%zu of the %s %s, and count%s as missing all that is relevant: number", count,
           side->name, why, count == 1 ? "s" : "");
    for (size_t i = 0, named = 0; i < side->relevance.queries && named < NAMED; i++)
        if (side->relevance.missed[i])
            printf(named++ == 0 ? " %zu" : ", %zu", i);
    printf(count > NAMED ? ", ...\n" : "\n");
}

static struct metrics measure(const struct side *side, size_t others, int threads,
                              const unsigned char *class_of, struct metrics *by_class)
{
    struct metrics all;
    enum mmk_status status =
        relevance_measure(&side->relevance, others, side->depth, side->rankings, &side->wanted,
                          threads, &all, class_of, by_class);
    if (status == MMK_OK)
        return all;
    char error[ERROR_BYTES];
    text_status(status, error, sizeof error);
    refuse("the metrics: %s", error);
}

static void print_classes(const struct metrics_wanted *wanted, const struct metrics *by_class)
{
    struct table table;
    open_table(&table, "class", wanted, wanted->deep);
    for (size_t c = 0; c < FASHION_CLASSES; c++)
        print_row(&table, fashion_classes[c], wanted, wanted->deep, &by_class[c]);
    table_close(&table, stdout);
}

/* The accuracy of 1-nearest-neighbour classification is known, so that it shows that all is
 * well. */
static void print_sanity(const struct metrics_wanted *wanted, const struct metrics *all)
{
    for (size_t k = 0; k < wanted->k_count; k++)
        if (wanted->k[k] == 1)
            printf("Recall@1, %.4f, is the accuracy of a 1-nearest-neighbour classifier on raw "
                   "pixels: a sanity figure (with cosine about 0.86), no claim about "
                   "Fashion-MNIST\n",
                   all->recall[k] / (double)all->counted);
}

static void print_search(const struct retrieve_options *a, const struct task *task,
                         const struct search_timing *timing)
{
    struct estimate seconds = stats_estimate(timing->seconds, timing->rounds);
    struct estimate share = stats_paired_ratio(timing->rate, timing->peak, timing->rounds);
    const char *peak = peak_label((enum peak)timing->isa);
    char took[32];
    text_seconds(seconds.median, took, sizeof took);
    printf("search   %s, %.3g GFLOP/s", took, timing->flops / seconds.median / 1e9);
    if (share.n > 0)
        printf(", %.1f %% of the %s peak measured right before and after", 100.0 * share.median,
               peak);
    else
        printf(", percent of the %s peak unknown (others took the CPUs while it was measured)",
               peak);
    if (timing->rounds > 1)
        printf(" (median of %zu)", timing->rounds);
    if (share.median > 1.0)
        printf(", of products most of which codes rule out");
    printf("; %s:%s, %d thread%s, %zu deep", mmk_isa_name(timing->isa), mmk_isa_extension(),
           a->threads, a->threads == 1 ? "" : "s", task->queries.depth);
    if (a->both)
        printf(" and %zu back, from one pass over the scores", task->gallery.depth);
    printf("\n");
}

/* What became of the pairs, and what the codes took. */
static void print_work(const struct task *task, const struct search_timing *timing)
{
    const struct mmk_search_work *w = &timing->work;
    double queries = (double)task->queries.vectors.rows;
    double all = queries * (double)task->gallery.vectors.rows / 100;
    if (all == 0)
        return;
    printf("pairs    %.3g %% scored, %.1f a query", (double)w->scored / all,
           (double)w->scored / queries);
    if (w->ruled_out_by_prefix > 0)
        printf("; %.3g %% ruled out by codes in a few directions",
               (double)w->ruled_out_by_prefix / all);
    if (w->ruled_out_by_codes > 0)
        printf("; %.3g %% ruled out by codes of whole rows", (double)w->ruled_out_by_codes / all);
    if (w->ruled_out_by_sums > 0)
        printf("; %.3g %% ruled out by sums in another order", (double)w->ruled_out_by_sums / all);
    printf("\n");
    if (timing->encoding > 0) {
        char took[32];
        text_seconds(timing->encoding, took, sizeof took);
        printf("codes    of the gallery made once before, %s\n", took);
    }
}

static double copied_bytes(const struct vectors *v)
{
    return v->owned ? sizeof(float) * (double)v->rows * (double)v->cols : 0.0;
}

static void print_memory(const struct task *task)
{
    const struct vectors *x = &task->queries.vectors, *y = &task->gallery.vectors;
    char resident[32], mapped[32], copied[32];
    text_bytes(resident_most("self"), resident, sizeof resident);
    text_bytes((double)x->file.size + (double)y->file.size, mapped, sizeof mapped);
    text_bytes(copied_bytes(x) + copied_bytes(y), copied, sizeof copied);
    printf("memory   %s resident at most; of the vectors", resident);
    if (x->file.size + y->file.size > 0)
        printf(" %s mapped files, not copied%s", mapped, x->owned || y->owned ? ", and" : "");
    if (x->owned || y->owned)
        printf(" %s in f32 made from the files", copied);
    printf("\n");
}

static void print_heading(const struct retrieve_options *a, const struct task *task)
{
    const struct vectors *x = &task->queries.vectors, *y = &task->gallery.vectors;
    printf("%s (%zu x %zu, %s) in %s (%zu x %zu, %s), %s\n\n",
           a->queries ? a->queries : "Fashion-MNIST's test images", x->rows, x->cols,
           stored_name(x->stored), a->gallery ? a->gallery : "its training images", y->rows,
           y->cols, stored_name(y->stored), similarity_name(a->similarity));
}

void report_search(const struct retrieve_options *a, const struct task *task,
                   const struct search_timing *timing)
{
    const struct side *q = &task->queries, *g = &task->gallery;
    struct metrics by_class[FASHION_CLASSES] = {{0}};
    struct metrics forward =
        measure(q, g->vectors.rows, a->threads, task->classes, task->classes ? by_class : NULL);
    struct metrics backward = {0};
    bool with_deep = q->wanted.deep || (a->both && g->wanted.deep);
    if (a->both)
        backward = measure(g, q->vectors.rows, a->threads, NULL, NULL);
    progress_end();
    print_heading(a, task);
    struct table table;
    open_table(&table, "searching", &q->wanted, with_deep);
    print_row(&table, q->name, &q->wanted, with_deep, &forward);
    if (a->both)
        print_row(&table, g->name, &g->wanted, with_deep, &backward);
    table_close(&table, stdout);
    if (task->classes) {
        print_classes(&q->wanted, by_class);
        print_sanity(&q->wanted, &forward);
    }
    name_missed(q, "hold NaN or Inf");
    explain_depth(q, "ask for it with --depth");
    if (a->both) {
        name_missed(g, "hold NaN or Inf");
        explain_depth(g, "ask for it with --depth");
    }
    print_search(a, task, timing);
    print_work(task, timing);
    print_memory(task);
}

void report_rankings(const struct retrieve_options *a, const struct side *side, size_t n)
{
    struct metrics all = measure(side, n, 1, NULL, NULL);
    progress_end();
    printf("%s (%zu rankings of %zu)\n\n", a->rankings, side->relevance.queries, side->depth);
    struct table table;
    open_table(&table, "", &side->wanted, side->wanted.deep);
    print_row(&table, side->name, &side->wanted, side->wanted.deep, &all);
    table_close(&table, stdout);
    name_missed(side, "are empty");
    explain_depth(side, "give rankings of");
}

/* retrieve.c - mmk-bench retrieve: searches a gallery, and says how good what it finds is and how
 * fast it was found.
 * SPDX-License-Identifier: MIT
 *
 * Queries and gallery are files, or Fashion-MNIST; or there is no search, and the rankings are a
 * file. What is relevant comes as lists or as labels. With --both the gallery's rows are queries too,
 * and one pass over the scores serves both.
 */
#include "retrieve.h"

#include "console.h"
#include "data.h"
#include "idx.h"
#include "new_file.h"
#include "npy.h"
#include "peaks.h"
#include "relevance.h"
#include "resident.h"
#include "stats.h"
#include "table.h"
#include "text.h"
#include "timer.h"
#include "vectors.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASSES = 10,
    MOST_ROUNDS = 15,
    PEAK_SAMPLES = 9,
    DEPTH = 1000, /* the default of --depth */
};
#define LEAST_SECONDS 1.0 /* of searching, in as many rounds as it takes */
#define MOST_ROWS     ((size_t)UINT32_MAX)

static const char *const similarities[MMK_SIMILARITY_COUNT] = {"dot", "cosine", "neg_sq_l2"};

static const char *const fashion_classes[CLASSES] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/* ---- Options --------------------------------------------------------------------------------- */

enum option_key {
    KEY_QUERIES = 'q',
    KEY_GALLERY = 'g',
    KEY_RELEVANT = 'r',
    KEY_K = 'k',
    KEY_SIMILARITY = 's',
    KEY_BOTH = 'b',
    KEY_ISA = 'i',
    KEY_THREADS = 't',
    KEY_DEPTH = 1000,
    KEY_RANKINGS,
    KEY_SAVE_RANKINGS
};

static const struct argp_option argp_options[] = {
    {NULL, 0, NULL, 0,
     "What is searched (default: Fashion-MNIST's test in its training images):", 1},
    {"queries", KEY_QUERIES, "FILE", 0,
     "m x d vectors: .npy of f32 (mapped, not copied), f16 or f64, or .fbin (mapped)", 1},
    {"gallery", KEY_GALLERY, "FILE", 0, "n x d vectors to find, likewise", 1},
    {"relevant", KEY_RELEVANT, "FILE", 0,
     "what should be found: a text file, a line a query with the indices of its gallery rows "
     "separated by spaces or commas; or labels.npy, m + n integers of the queries and then the "
     "gallery (or queries.npy,gallery.npy): equal labels are relevant",
     1},
    {"rankings", KEY_RANKINGS, "FILE", 0,
     "no search: rankings that are there already, a line of gallery indices a query, the best "
     "first; needs --relevant alone",
     1},
    {NULL, 0, NULL, 0, "How:", 2},
    {"k", KEY_K, "LIST", 0, "K of Recall@K, comma-separated (default: 1,5,10)", 2},
    {"similarity", KEY_SIMILARITY, "NAME", 0, "cosine (default), dot or neg_sq_l2", 2},
    {"both", KEY_BOTH, NULL, 0,
     "the gallery's rows search the queries too, in the same pass over the scores; memory grows "
     "with the queries: let them be the smaller side",
     2},
    {"depth", KEY_DEPTH, "N", 0,
     "how deep rankings may go for R-Precision and mAP@R, which need as many items as a query has "
     "relevant ones (default: 1000; 0: Recall only)",
     2},
    {"isa", KEY_ISA, "NAME", 0, "scalar, avx2, avx512 or neon (default: the widest)", 2},
    {"threads", KEY_THREADS, "N", 0, "threads (default: 1)", 2},
    {"save-rankings", KEY_SAVE_RANKINGS, "FILE", 0,
     "write what was found, as --rankings reads it; with --both the other direction to "
     "FILE.gallery",
     2},
    {NULL, 0, NULL, 0, NULL, 0}};

struct arguments {
    const char *queries, *gallery, *relevant, *rankings, *save_rankings, *isa;
    struct metrics_wanted wanted;
    size_t depth;
    enum mmk_similarity similarity;
    const char *similarity_text; /* NULL: not given */
    bool both, depth_given;
    int threads; /* 0: not given */
};

static size_t parse_count(const char *option, const char *text, size_t least, const char *example)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || value < least || value >= MOST_ROWS)
        refuse("%s %s: that is no whole number of at least %zu; write for instance %s %s", option,
               text, least, option, example);
    return value;
}

static void parse_k(struct metrics_wanted *wanted, char *list)
{
    char *word;
    wanted->k_count = 0;
    while ((word = strsep(&list, ",")) != NULL) {
        if (wanted->k_count == MOST_K)
            refuse("--k: more than %d values of K; make several runs of it", MOST_K);
        wanted->k[wanted->k_count++] = parse_count("--k", word, 1, "1,5,10");
    }
}

static enum mmk_similarity parse_similarity(const char *text)
{
    for (int s = 0; s < MMK_SIMILARITY_COUNT; s++)
        if (strcmp(similarities[s], text) == 0)
            return (enum mmk_similarity)s;
    refuse("--similarity %s: there is no such similarity; it is cosine, dot or neg_sq_l2", text);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case KEY_QUERIES:
        a->queries = text;
        return 0;
    case KEY_GALLERY:
        a->gallery = text;
        return 0;
    case KEY_RELEVANT:
        a->relevant = text;
        return 0;
    case KEY_RANKINGS:
        a->rankings = text;
        return 0;
    case KEY_SAVE_RANKINGS:
        a->save_rankings = text;
        return 0;
    case KEY_K:
        parse_k(&a->wanted, text);
        return 0;
    case KEY_SIMILARITY:
        a->similarity = parse_similarity(text);
        a->similarity_text = text;
        return 0;
    case KEY_BOTH:
        a->both = true;
        return 0;
    case KEY_DEPTH:
        a->depth = parse_count("--depth", text, 0, "1000");
        a->depth_given = true;
        return 0;
    case KEY_ISA:
        a->isa = text;
        return 0;
    case KEY_THREADS:
        a->threads = parse_threads(text);
        return 0;
    case ARGP_KEY_ARG:
        refuse("%s: retrieve takes options only; `mmk-bench retrieve --help` lists them", text);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Options that contradict each other, told before any file is opened. */
static void check_arguments(const struct arguments *a)
{
    if (a->rankings) {
        const char *other = a->queries           ? "--queries"
                            : a->gallery         ? "--gallery"
                            : a->both            ? "--both"
                            : a->similarity_text ? "--similarity"
                            : a->depth_given     ? "--depth"
                            : a->isa             ? "--isa"
                            : a->threads         ? "--threads"
                            : a->save_rankings   ? "--save-rankings"
                                                 : NULL;
        if (other)
            refuse("%s: with --rankings nothing is searched; leave it out", other);
        if (!a->relevant)
            refuse("--rankings %s: give --relevant FILE too, what should have been found",
                   a->rankings);
        return;
    }
    const char *given = a->queries    ? "--queries"
                        : a->gallery  ? "--gallery"
                        : a->relevant ? "--relevant"
                                      : NULL;
    const char *missing = !a->queries    ? "--queries FILE"
                          : !a->gallery  ? "--gallery FILE"
                          : !a->relevant ? "--relevant FILE"
                                         : NULL;
    if (given && missing)
        refuse("%s: give %s too (all three, or none for Fashion-MNIST)", given, missing);
}

static void use_isa(const char *name)
{
    enum mmk_isa isa;
    enum mmk_status status = name ? mmk_isa_use(name) : mmk_isa_in_use(&isa);
    if (status != MMK_OK)
        refuse("%s%s: %s", name ? "--isa " : "MMK_ISA=", name ? name : getenv("MMK_ISA"),
               mmk_status_string(status));
}

/* ---- What is searched, and what is relevant -------------------------------------------------- */

/* Rows that search, and what they should find in the other side. */
struct side {
    struct vectors vectors;
    const char *name; /* for the tables */
    struct relevance relevance;
    size_t depth;       /* of its rankings */
    uint32_t *rankings; /* vectors.rows x depth */
    struct metrics_wanted wanted;
};

struct task {
    struct side queries, gallery; /* the gallery searches with --both only */
    unsigned char *classes;       /* of the queries; NULL: no classes with names */
};

__attribute__((noreturn)) static void refuse_memory(const char *what)
{
    refuse("there is no memory for %s; give fewer rows, or a smaller --k or --depth", what);
}

__attribute__((noreturn)) static void refuse_nothing_relevant(const char *name)
{
    refuse("--relevant: nothing is relevant to any of the %s, so there is nothing to measure; give "
           "the file that belongs to them",
           name);
}

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* The labels of m queries and n gallery rows, one after the other; n = 0: however many there are,
 * and *n says it. */
static int64_t *read_labels(const char *names, size_t m, size_t *n)
{
    char first[4096], error[4600];
    int64_t *labels, *more = NULL;
    size_t count, more_count = 0, comma = strcspn(names, ",");
    snprintf(first, sizeof first, "%.*s", (int)comma, names);
    if (!npy_read_integers(first, &labels, &count, error, sizeof error) ||
        (names[comma] &&
         !npy_read_integers(names + comma + 1, &more, &more_count, error, sizeof error)))
        refuse("%s", error);
    if (names[comma] && count != m)
        refuse("%s: has %zu labels, and there are %zu queries; give a label for each", first, count,
               m);
    if (names[comma] && *n > 0 && more_count != *n)
        refuse("%s: has %zu labels, and the gallery has %zu rows; give a label for each",
               names + comma + 1, more_count, *n);
    if (*n > 0 && count + more_count != m + *n)
        refuse(
            "%s: has %zu labels, and there are %zu queries and %zu gallery rows; give %zu, those "
            "of the queries first",
            names, count, m, *n, m + *n);
    if (count + more_count <= m)
        refuse("%s: has %zu labels, and there are %zu queries; give those of the gallery after "
               "them",
               names, count, m);
    *n = count + more_count - m;
    if (more) {
        labels = realloc(labels, (m + *n) * sizeof *labels);
        if (!labels)
            refuse_memory("the labels");
        memcpy(labels + m, more, *n * sizeof *labels);
        free(more);
    }
    return labels;
}

static void check_indices(const char *path, const struct lists *lists, size_t n)
{
    for (size_t i = 0; i < lists->lines; i++)
        for (size_t e = lists->row_start[i]; e < lists->row_start[i + 1]; e++)
            if (lists->items[e] >= n)
                refuse("%s, line %zu: names gallery row %u, and the gallery has %zu; write indices "
                       "from 0",
                       path, i + 1, lists->items[e], n);
}

/* Lists of a line a query with indices below n; n = 0: not known. */
static struct lists read_lists(const char *path, size_t m, size_t n)
{
    struct lists lists;
    char error[4600];
    if (!lists_read(path, &lists, error, sizeof error))
        refuse("%s", error);
    if (lists.lines != m)
        refuse("%s: has %zu lines, and there are %zu queries; write a line for each, an empty one "
               "where nothing is relevant",
               path, lists.lines, m);
    if (n > 0)
        check_indices(path, &lists, n);
    return lists;
}

/* What a search of m queries in *n rows should find; backward: what the rows should find, too. *n = 0:
 * not known, and where labels tell it, it is set. */
static void read_relevant(const char *path, size_t m, size_t *n, struct relevance *forward,
                          struct relevance *backward)
{
    bool good = true;
    if (ends_in(path, ".npy")) {
        int64_t *labels = read_labels(path, m, n);
        good = relevance_of_labels(forward, m, labels, *n, labels + m) &&
               (!backward || relevance_of_labels(backward, *n, labels + m, m, labels));
        free(labels);
    } else {
        struct lists lists = read_lists(path, m, *n), turned;
        good = !backward || lists_transpose(&lists, *n, &turned);
        if (good && backward)
            relevance_of_lists(backward, &turned);
        relevance_of_lists(forward, &lists);
    }
    if (!good)
        refuse_memory("what is relevant");
}

static void open_files(const struct arguments *a, struct task *task)
{
    char error[4600];
    struct vectors *queries = &task->queries.vectors, *gallery = &task->gallery.vectors;
    progress("reading");
    if (!vectors_open(a->queries, queries, error, sizeof error) ||
        !vectors_open(a->gallery, gallery, error, sizeof error))
        refuse("%s", error);
    if (queries->cols != gallery->cols)
        refuse("%s has rows of %zu, %s of %zu; both must come from one embedding space, with rows "
               "of the same length",
               a->queries, queries->cols, a->gallery, gallery->cols);
    if (queries->rows >= MOST_ROWS || gallery->rows >= MOST_ROWS)
        refuse("there are 2^32 rows or more, beyond what an index can tell; split the file");
    task->queries.name = "queries";
    task->gallery.name = "gallery";
    size_t n = gallery->rows;
    read_relevant(a->relevant, queries->rows, &n, &task->queries.relevance,
                  a->both ? &task->gallery.relevance : NULL);
}

/* Images and labels of one part of Fashion-MNIST. */
static int64_t *open_fashion_part(const char *part, struct vectors *vectors)
{
    char name[64], path[4096], error[4600];
    size_t height, width;
    snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", part);
    data_fashion_path(name, path, sizeof path);
    vectors->owned =
        idx_read_images(path, SIZE_MAX, &vectors->rows, &height, &width, error, sizeof error);
    if (!vectors->owned)
        refuse("%s", error);
    vectors->data = vectors->owned;
    vectors->cols = height * width;
    snprintf(vectors->dtype, sizeof vectors->dtype, "u8");
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", part);
    data_fashion_path(name, path, sizeof path);
    unsigned char *bytes = idx_read_labels(path, vectors->rows, error, sizeof error);
    if (!bytes)
        refuse("%s", error);
    int64_t *labels = malloc(vectors->rows * sizeof *labels);
    if (!labels)
        refuse_memory("the labels");
    for (size_t i = 0; i < vectors->rows; i++) {
        if (bytes[i] >= CLASSES)
            refuse("%s: label %zu is %d, and there are %d classes; reinstall dataset-fashion-mnist",
                   path, i, bytes[i], CLASSES);
        labels[i] = bytes[i];
    }
    free(bytes);
    return labels;
}

static void open_fashion(const struct arguments *a, struct task *task)
{
    struct side *queries = &task->queries, *gallery = &task->gallery;
    progress("reading Fashion-MNIST");
    int64_t *query_labels = open_fashion_part("t10k", &queries->vectors);
    int64_t *gallery_labels = open_fashion_part("train", &gallery->vectors);
    size_t m = queries->vectors.rows, n = gallery->vectors.rows;
    if (queries->vectors.cols != gallery->vectors.cols)
        refuse("Fashion-MNIST's images differ in size; reinstall dataset-fashion-mnist");
    queries->name = "test images";
    gallery->name = "training images";
    task->classes = malloc(m);
    if (!task->classes ||
        !relevance_of_labels(&queries->relevance, m, query_labels, n, gallery_labels) ||
        (a->both && !relevance_of_labels(&gallery->relevance, n, gallery_labels, m, query_labels)))
        refuse_memory("what is relevant");
    for (size_t i = 0; i < m; i++)
        task->classes[i] = (unsigned char)query_labels[i];
    free(query_labels);
    free(gallery_labels);
}

/* How deep a side's rankings go, in `others` rows: to the greatest K, and where --depth allows it to
 * the largest R. */
static void set_depth(struct side *side, const struct arguments *a, size_t others)
{
    size_t largest = relevance_count(&side->relevance, relevance_largest(&side->relevance));
    if (largest == 0)
        refuse_nothing_relevant(side->name);
    side->wanted = a->wanted;
    side->wanted.deep = largest <= a->depth;
    side->depth = side->wanted.deep ? largest : 0;
    for (size_t k = 0; k < a->wanted.k_count; k++)
        if (side->depth < a->wanted.k[k])
            side->depth = a->wanted.k[k];
    if (side->depth > others)
        side->depth = others;
    size_t bytes;
    side->rankings =
        __builtin_mul_overflow(side->vectors.rows, side->depth * sizeof *side->rankings, &bytes)
            ? NULL
            : malloc(bytes);
    if (!side->rankings)
        refuse_memory("the rankings");
}

/* ---- The search ------------------------------------------------------------------------------ */

struct timing {
    double seconds[MOST_ROUNDS], rate[MOST_ROUNDS], peak[MOST_ROUNDS];
    size_t rounds;
    enum mmk_isa isa;
};

static void search(const struct arguments *a, struct task *task)
{
    struct side *q = &task->queries, *g = &task->gallery;
    struct mmk_options options = {.threads = a->threads};
    const struct vectors *x = &q->vectors, *y = &g->vectors;
    enum mmk_status status =
        a->both ? mmk_search_both(a->similarity, x->rows, y->rows, x->cols, x->data, x->cols,
                                  y->data, y->cols, q->depth, NULL, q->rankings, q->depth, g->depth,
                                  NULL, g->rankings, g->depth, &options)
                : mmk_search(a->similarity, x->rows, y->rows, x->cols, x->data, x->cols, y->data,
                             y->cols, q->depth, NULL, q->rankings, q->depth, NULL, &options);
    if (status != MMK_OK)
        refuse("the search: %s", mmk_status_string(status));
}

/* The median of some samples: one that was disturbed is none. */
static double fma_peak(enum mmk_isa isa, int threads)
{
    double samples[PEAK_SAMPLES];
    for (int s = 0; s < PEAK_SAMPLES; s++)
        samples[s] = peak_measure((enum peak)isa, threads);
    return stats_estimate(samples, PEAK_SAMPLES).median;
}

/* Once, or again and again where it is over soon; the peak before and after each. */
static struct timing time_search(const struct arguments *a, struct task *task)
{
    struct timing timing = {.rounds = 0};
    const struct vectors *x = &task->queries.vectors, *y = &task->gallery.vectors;
    double flops = 2.0 * (double)x->rows * (double)y->rows * (double)x->cols, total = 0.0;
    char text[160], expected[32];
    mmk_isa_in_use(&timing.isa);
    if (a->threads == 1)
        timer_pin();
    vectors_expect(x);
    vectors_expect(y);
    double before = fma_peak(timing.isa, a->threads);
    text_seconds(flops / before, expected, sizeof expected);
    snprintf(text, sizeof text, "searching %zu x %zu x %zu: %s if it ran at the FMA peak", x->rows,
             y->rows, x->cols, expected);
    progress(text);
    while (timing.rounds < MOST_ROUNDS && total < LEAST_SECONDS) {
        double start = timer_now();
        search(a, task);
        double seconds = timer_now() - start;
        double after = fma_peak(timing.isa, a->threads);
        timing.seconds[timing.rounds] = seconds;
        timing.rate[timing.rounds] = flops / seconds;
        timing.peak[timing.rounds] = (before + after) / 2.0;
        timing.rounds++;
        total += seconds;
        before = after;
    }
    if (a->threads == 1)
        timer_unpin();
    return timing;
}

static void save_rankings(const struct side *side, const char *path)
{
    struct new_file n;
    char error[4600];
    if (!new_file_open(&n, path, error, sizeof error))
        refuse("%s", error);
    for (size_t i = 0; i < side->vectors.rows; i++)
        for (size_t r = 0; r < side->depth; r++)
            fprintf(n.file, "%u%c", side->rankings[i * side->depth + r],
                    r + 1 < side->depth ? ' ' : '\n');
    if (!new_file_close(&n, true, error, sizeof error))
        refuse("%s", error);
}

/* ---- The report ------------------------------------------------------------------------------ */

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

static struct metrics measure(const struct side *side, size_t others, int threads,
                              const unsigned char *class_of, struct metrics *by_class)
{
    struct metrics all;
    enum mmk_status status =
        relevance_measure(&side->relevance, others, side->depth, side->rankings, &side->wanted,
                          threads, &all, class_of, by_class);
    if (status != MMK_OK)
        refuse("the metrics: %s", mmk_status_string(status));
    return all;
}

static void print_classes(const struct metrics_wanted *wanted, const struct metrics *by_class)
{
    struct table table;
    open_table(&table, "class", wanted, wanted->deep);
    for (size_t c = 0; c < CLASSES; c++)
        print_row(&table, fashion_classes[c], wanted, wanted->deep, &by_class[c]);
    table_close(&table, stdout);
}

/* The accuracy of 1-nearest-neighbour classification is known, so that it shows that all is well. */
static void print_sanity(const struct metrics_wanted *wanted, const struct metrics *all)
{
    for (size_t k = 0; k < wanted->k_count; k++)
        if (wanted->k[k] == 1)
            printf("Recall@1, %.4f, is the accuracy of a 1-nearest-neighbour classifier on raw "
                   "pixels: a sanity figure (with cosine about 0.86), no claim about "
                   "Fashion-MNIST\n",
                   all->recall[k] / (double)all->counted);
}

static void print_search(const struct arguments *a, const struct task *task,
                         const struct timing *timing)
{
    struct estimate seconds = stats_estimate(timing->seconds, timing->rounds);
    struct estimate share = stats_paired_ratio(timing->rate, timing->peak, timing->rounds);
    char took[32];
    const struct vectors *x = &task->queries.vectors, *y = &task->gallery.vectors;
    double flops = 2.0 * (double)x->rows * (double)y->rows * (double)x->cols;
    text_seconds(seconds.median, took, sizeof took);
    printf("search   %s, %.3g GFLOP/s", took, flops / seconds.median / 1e9);
    if (share.n > 0)
        printf(", %.1f %% of the FMA peak measured right before and after", 100.0 * share.median);
    else
        printf(", of the FMA peak unknown: the CPUs were taken by others");
    if (timing->rounds > 1)
        printf(" (median of %zu)", timing->rounds);
    printf("; %s, %d thread%s, %zu deep", mmk_isa_name(timing->isa), a->threads,
           a->threads == 1 ? "" : "s", task->queries.depth);
    if (a->both)
        printf(" and %zu back, from one pass over the scores", task->gallery.depth);
    printf("\n");
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

static void print_heading(const struct arguments *a, const struct task *task)
{
    const struct vectors *x = &task->queries.vectors, *y = &task->gallery.vectors;
    printf("%s (%zu x %zu, %s) in %s (%zu x %zu, %s), %s\n\n",
           a->queries ? a->queries : "Fashion-MNIST's test images", x->rows, x->cols, x->dtype,
           a->gallery ? a->gallery : "its training images", y->rows, y->cols, y->dtype,
           similarities[a->similarity]);
}

static void print_report(const struct arguments *a, const struct task *task,
                         const struct timing *timing)
{
    const struct side *q = &task->queries, *g = &task->gallery;
    struct metrics by_class[CLASSES] = {{0}};
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
    explain_depth(q, "ask for it with --depth");
    if (a->both)
        explain_depth(g, "ask for it with --depth");
    print_search(a, task, timing);
    print_memory(task);
}

/* ---- The two things to do -------------------------------------------------------------------- */

static void run_search(struct arguments *a)
{
    struct task task;
    char back[4096], error[4600];
    memset(&task, 0, sizeof task);
    use_isa(a->isa);
    if (a->save_rankings) {
        snprintf(back, sizeof back, "%s.gallery", a->save_rankings);
        if (!new_file_possible(a->save_rankings, error, sizeof error) ||
            (a->both && !new_file_possible(back, error, sizeof error)))
            refuse("%s", error);
    }
    if (a->queries)
        open_files(a, &task);
    else
        open_fashion(a, &task);
    set_depth(&task.queries, a, task.gallery.vectors.rows);
    if (a->both)
        set_depth(&task.gallery, a, task.queries.vectors.rows);
    struct timing timing = time_search(a, &task);
    progress("measuring the rankings");
    print_report(a, &task, &timing);
    if (a->save_rankings) {
        save_rankings(&task.queries, a->save_rankings);
        if (a->both)
            save_rankings(&task.gallery, back);
    }
    struct side *sides[] = {&task.queries, &task.gallery};
    for (size_t s = 0; s < 2; s++) {
        vectors_close(&sides[s]->vectors);
        relevance_free(&sides[s]->relevance);
        free(sides[s]->rankings);
    }
    free(task.classes);
}

/* All of the rankings are one matrix. */
static size_t common_depth(const char *path, const struct lists *rankings)
{
    size_t depth = rankings->row_start[1];
    for (size_t i = 1; i < rankings->lines; i++) {
        size_t here = rankings->row_start[i + 1] - rankings->row_start[i];
        if (here != depth)
            refuse("%s, line %zu: has %zu indices, and line 1 has %zu; make all rankings equally "
                   "long",
                   path, i + 1, here, depth);
    }
    return depth;
}

static void run_rankings(const struct arguments *a)
{
    struct lists rankings;
    struct side side = {.name = "rankings", .wanted = a->wanted};
    char error[4600];
    size_t n = 0;
    progress("reading");
    if (!lists_read(a->rankings, &rankings, error, sizeof error))
        refuse("%s", error);
    side.depth = common_depth(a->rankings, &rankings);
    side.rankings = rankings.items;
    for (size_t k = 0; k < a->wanted.k_count; k++)
        if (a->wanted.k[k] > side.depth)
            refuse("--k %zu: the rankings of %s are %zu long; name values up to that with --k",
                   a->wanted.k[k], a->rankings, side.depth);
    read_relevant(a->relevant, rankings.lines, &n, &side.relevance, NULL);
    if (n > 0) {
        check_indices(a->rankings, &rankings, n);
    } else { /* lists do not tell how many rows the gallery has: as many as they name */
        size_t ranked = lists_bound(&rankings), named = lists_bound(&side.relevance.lists);
        n = ranked > named ? ranked : named;
    }
    size_t largest = relevance_count(&side.relevance, relevance_largest(&side.relevance));
    if (largest == 0)
        refuse_nothing_relevant("queries");
    side.wanted.deep = largest <= side.depth;
    struct metrics all = measure(&side, n, 1, NULL, NULL);
    progress_end();
    printf("%s (%zu rankings of %zu)\n\n", a->rankings, rankings.lines, side.depth);
    struct table table;
    open_table(&table, "", &side.wanted, side.wanted.deep);
    print_row(&table, side.name, &side.wanted, side.wanted.deep, &all);
    table_close(&table, stdout);
    explain_depth(&side, "give rankings of");
    relevance_free(&side.relevance);
    lists_free(&rankings);
}

int retrieve_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Searches a gallery with queries and prints Recall@K, R-Precision and mAP@R of what it "
        "finds, with the search's time beside the machine's limit.\v"
        "Without --queries: Fashion-MNIST, a sanity figure. Exit status: 0 all is well; 2 a bad "
        "option or input.",
        NULL,
        NULL,
        NULL};
    struct arguments a = {
        .wanted = {.k = {1, 5, 10}, .k_count = 3}, .depth = DEPTH, .similarity = MMK_COSINE};
    static char name[] = "mmk-bench retrieve"; /* as it stands in --help */
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    check_arguments(&a);
    if (a.threads == 0)
        a.threads = 1;
    if (a.rankings)
        run_rankings(&a);
    else
        run_search(&a);
    return EXIT_GOOD;
}

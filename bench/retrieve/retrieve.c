/* retrieve.c - mmk-bench retrieve: searches a gallery, and says how good what it finds is and how
 * fast it was found.
 * SPDX-License-Identifier: MIT
 *
 * Queries and gallery are files, or Fashion-MNIST; or there is no search, and the rankings are a
 * file. What is relevant comes as lists or as labels. With --both the gallery's rows are queries
 * too, and one pass over the scores serves both.
 */
#include "retrieve.h"

#include "../../ref/case.h"
#include "../base/console.h"
#include "../base/new_file.h"
#include "../base/stats.h"
#include "../base/text.h"
#include "../data/open_vectors.h"
#include "../machine/peaks.h"
#include "../machine/timer.h"
#include "report.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEAK_SAMPLES = 9,
    DEPTH = 1000, /* the default of --depth */
};
#define LEAST_SECONDS 1.0 /* of searching, in as many rounds as it takes */

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
    KEY_BF16,
    KEY_RANKINGS,
    KEY_SAVE_RANKINGS
};

static const struct argp_option argp_options[] = {
    {NULL, 0, NULL, 0,
     "What is searched (default: Fashion-MNIST's test in its training images):", 1},
    {"queries", KEY_QUERIES, "FILE", 0,
     "m x d vectors: " VECTORS_READ "; f32 is mapped, not copied", 1},
    {"gallery", KEY_GALLERY, "FILE", 0, "n x d vectors to find, likewise", 1},
    {"bf16", KEY_BF16, NULL, 0, VECTORS_BF16, 1},
    {"relevant", KEY_RELEVANT, "FILE", 0,
     "what should be found: a text file, a line a query with the indices of its gallery rows "
     "separated by spaces or commas, or .ivecs or .ibin of these; or labels.npy, m + n integers of "
     "the queries and then the gallery (or queries.npy,gallery.npy): equal labels are relevant",
     1},
    {"rankings", KEY_RANKINGS, "FILE", 0,
     "no search: rankings that are there already, a line of gallery indices a query, the best "
     "first (an empty line: it finds nothing), or .ivecs or .ibin; needs --relevant alone",
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

static size_t parse_count(const char *option, const char *text, size_t least, const char *example)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || text[0] == '-' || value < least)
        refuse("%s %s: that is no whole number of at least %zu; write for instance %s %s", option,
               text, least, option, example);
    if (errno || value >= UINT32_MAX)
        refuse(
            "%s %s: that is beyond %u, the most rows that a gallery can have; write for instance "
            "%s %s",
            option, text, UINT32_MAX - 1, option, example);
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
        if (strcmp(similarity_name((enum mmk_similarity)s), text) == 0)
            return (enum mmk_similarity)s;
    refuse("--similarity %s: there is no such similarity; it is cosine, dot or neg_sq_l2", text);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct retrieve_options *a = state->input;
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
    case KEY_BF16:
        a->bf16 = true;
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
static void check_arguments(const struct retrieve_options *a)
{
    if (a->rankings) {
        const char *other = a->queries           ? "--queries"
                            : a->gallery         ? "--gallery"
                            : a->bf16            ? "--bf16"
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
                        : a->bf16     ? "--bf16"
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

/* ---- The search ------------------------------------------------------------------------------ */

static struct mmk_matrix matrix_of(const struct vectors *vectors)
{
    return (struct mmk_matrix){.data = vectors->data,
                               .rows = vectors->rows,
                               .columns = vectors->cols,
                               .leading_dimension = vectors->ld};
}

/* Codes of the gallery for a search one way. NULL: both ways are searched, which takes none, or the
 * instruction set has none that pay. */
static struct mmk_gallery *encode(const struct retrieve_options *a, const struct task *task,
                                  double *seconds)
{
    struct mmk_gallery *gallery = NULL;
    const struct mmk_matrix y = matrix_of(&task->gallery.vectors);
    if (a->both || strcmp(mmk_isa_extension(), "base") == 0 ||
        strcmp(mmk_isa_extension(), "bf16") == 0)
        return NULL;
    progress("making codes of the gallery");
    double start = timer_now();
    must_be_good(mmk_gallery_encode(a->similarity, &y, &(struct mmk_options){.threads = a->threads},
                                    &gallery),
                 "mmk_gallery_encode");
    *seconds = timer_now() - start;
    return gallery;
}

static void search(const struct retrieve_options *a, struct task *task,
                   const struct mmk_gallery *gallery, struct mmk_search_work *work)
{
    struct side *q = &task->queries, *g = &task->gallery;
    const struct mmk_matrix x = matrix_of(&q->vectors);
    const struct mmk_matrix y =
        gallery != NULL ? (struct mmk_matrix){.packed = gallery} : matrix_of(&g->vectors);
    const struct mmk_topk_results for_x = {.k = q->depth, .indices = q->rankings},
                                  for_y = {.k = g->depth, .indices = g->rankings};
    must_be_good(
        mmk_search(&(struct mmk_search_problem){.x = &x, .y = &y, .similarity = a->similarity},
                   &(struct mmk_search_results){
                       .for_x = &for_x, .for_y = a->both ? &for_y : NULL, .work = work},
                   &(struct mmk_options){.threads = a->threads}),
        "mmk_search");
}

/* The median of some samples: one that was disturbed is none. */
static double multiply_add_peak(enum mmk_isa isa, int threads)
{
    double samples[PEAK_SAMPLES];
    for (int s = 0; s < PEAK_SAMPLES; s++)
        samples[s] = peak_measure((enum peak)isa, threads);
    return stats_estimate(samples, PEAK_SAMPLES).median;
}

/* Once, or again and again where it is over soon; the peak before and after each. The first may
 * have to wait for the disk: of a large gallery that is not in memory it is the only one. */
static struct search_timing time_search(const struct retrieve_options *a, struct task *task)
{
    const struct vectors *x = &task->queries.vectors, *y = &task->gallery.vectors;
    struct search_timing timing = {.flops =
                                       2.0 * (double)x->rows * (double)y->rows * (double)x->cols};
    double total = 0.0;
    char text[160], expected[32];
    mmk_isa_in_use(&timing.isa);
    if (a->threads == 1)
        timer_pin();
    vectors_expect(x);
    vectors_expect(y);
    struct mmk_gallery *gallery = encode(a, task, &timing.encoding);
    double before = multiply_add_peak(timing.isa, a->threads);
    text_seconds(timing.flops / before, expected, sizeof expected);
    snprintf(text, sizeof text, "searching %zu x %zu x %zu, at the %s peak %s", x->rows, y->rows,
             x->cols, peak_label((enum peak)timing.isa),
             isnan(before) ? "in unknown time" : expected);
    progress(text);
    while (timing.rounds < MOST_ROUNDS && total < LEAST_SECONDS) {
        double start = timer_now();
        search(a, task, gallery, &timing.work);
        double seconds = timer_now() - start;
        double after = multiply_add_peak(timing.isa, a->threads);
        timing.seconds[timing.rounds] = seconds;
        timing.rate[timing.rounds] = timing.flops / seconds;
        timing.peak[timing.rounds] = (before + after) / 2.0;
        timing.rounds++;
        total += seconds;
        before = after;
    }
    mmk_gallery_free(gallery);
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
    for (size_t i = 0; i < side->vectors.rows; i++) {
        bool none = side->relevance.missed && side->relevance.missed[i];
        for (size_t r = 0; r < side->depth && !none; r++)
            fprintf(n.file, r > 0 ? " %u" : "%u", side->rankings[i * side->depth + r]);
        fputc('\n', n.file);
    }
    if (!new_file_close(&n, true, error, sizeof error))
        refuse("%s", error);
}

/* ---- The two things to do -------------------------------------------------------------------- */

static int run_search(const struct retrieve_options *a)
{
    struct task task;
    char back[4096], error[4600];
    use_isa(a->isa);
    if (a->save_rankings) {
        snprintf(back, sizeof back, "%s.gallery", a->save_rankings);
        if (!new_file_possible(a->save_rankings, error, sizeof error) ||
            (a->both && !new_file_possible(back, error, sizeof error)))
            refuse("%s", error);
    }
    task_open(&task, a);
    struct search_timing timing = time_search(a, &task);
    progress("measuring the rankings");
    side_mark_missed(&task.queries);
    if (a->both)
        side_mark_missed(&task.gallery);
    report_search(a, &task, &timing);
    if (a->save_rankings) {
        save_rankings(&task.queries, a->save_rankings);
        if (a->both)
            save_rankings(&task.gallery, back);
    }
    task_close(&task);
    return EXIT_GOOD;
}

static int run_rankings(const struct retrieve_options *a)
{
    struct side side;
    size_t n;
    task_open_rankings(&side, a, &n);
    report_rankings(a, &side, n);
    side_close(&side);
    return EXIT_GOOD;
}

int retrieve_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Searches a gallery with queries and prints Recall@K, R-Precision and mAP@R of what it "
        "finds, with the search's time beside the machine's limit.\v"
        "Without files it searches Fashion-MNIST's 60,000 training images with its 10,000 test "
        "images and prints Recall by class, a sanity figure.\n\n"
        "    mmk-bench retrieve -q images.npy -g texts.npy -r pairs.csr --both\n"
        "    mmk-bench retrieve -q q.fbin -g g.fbin -r labels.npy -s dot -t 2\n"
        "    mmk-bench retrieve --rankings rankings.txt -r pairs.csr\n\n"
        "pairs.csr is text: a line a query with the indices, from 0, of its relevant gallery rows; "
        "an empty line for none. rankings.txt is the same, the best first. labels.npy holds whole "
        "numbers, those of the queries and then those of the gallery.\n\n"
        "Binary files, little-endian, are known by their names' endings. .fbin and its kin "
        "(big-ann-benchmarks): u32 rows, u32 dimension, the rows; .ibin the same of u32 indices, "
        "after which distances may stand, that are not looked at. .fvecs, .bvecs, .ivecs (TEXMEX): "
        "each row is an i32 length and so many f32, bytes or i32.\n\n"
        "Files of f32 are mapped and not copied: a gallery may be larger than memory. Other types "
        "are converted, into 4 bytes an element of memory: exactly, but for f64, which is "
        "rounded.\n\n"
        "One way (without --both) the items are encoded first, where the instruction set has codes "
        "that pay: these rule out most pairs, and what is found is the same. What is printed says "
        "how many pairs were scored.\n\n"
        "Exit status: 0 all is well; 2 a bad option or input.",
        NULL,
        NULL,
        NULL};
    struct retrieve_options a = {
        .wanted = {.k = {1, 5, 10}, .k_count = 3}, .depth = DEPTH, .similarity = MMK_COSINE};
    static char name[] = "mmk-bench retrieve"; /* as it stands in --help */
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0)
        refuse("there is no memory to read the options; close something");
    check_arguments(&a);
    if (a.threads == 0)
        a.threads = 1;
    return a.rankings ? run_rankings(&a) : run_search(&a);
}

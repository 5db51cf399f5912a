/* misalignment.c - what misaligned pairs leave of the semantics in a contrastive representation.
 * SPDX-License-Identifier: MIT
 *
 * After Cai et al. 2025, "Negate or Embrace: On How Misalignment Shapes Multimodal Representation
 * Learning" (arXiv 2504.10143). Pairs come from the latent variable model of mixing.c. Two
 * encoders, d-128-128-128-n with LeakyReLU 0.01 and n outputs, one for each semantic variable that
 * is selected and not perturbed, are trained with the symmetric InfoNCE of negative squared
 * distances at temperature 1, or with alignment and uniformity of the same, which takes a second
 * batch to push from. Then every latent variable is regressed on the encodings of new pairs: theory
 * says R^2 = 1 for what is kept, and for all else as much as the kept ones explain of it. Published
 * are 7 layers, batches of 6144 and 100,000 steps; 3,000 steps of 512 pairs reach the marks below
 * in seconds.
 *
 * Out of distribution: a probe (probe.c) on the image's encoding learns whether f(s_1, .. s_5) is
 * above its median; then s_9 and s_10 are stretched, which a representation that holds them suffers
 * from.
 */
#include "../base/console.h"
#include "../base/new_file.h"
#include "../base/table.h"
#include "../machine/timer.h"
#include "heatmap.h"
#include "mixing.h"
#include "probe.h"
#include "product.h"
#include "random.h"
#include "regression.h"
#include "study.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 3000,
    BATCH = 512,
    HIDDEN = 128,
    EVALUATED = 20480, /* pairs to fit with, and as many to test with */
    LABELLED = 5,      /* s_1 .. s_5 make the label out of distribution */
    MOST_SETTINGS = 32
};
static const float rate = 3e-3f, clip = 2.0f, temperature = 1.0f, slope = 0.01f;
static const char *const default_svg = "misalignment.svg";

/* Pairs are numbered: training takes those from 0 on. */
static const uint64_t fit_pairs = 1ull << 40, test_pairs = 1ull << 41;

/* ---- Settings -------------------------------------------------------------------------------- */

/* Variable i is bit i - 1; first(k) is 1..k. */
#define FIRST(k) ((1u << (k)) - 1)

struct setting {
    unsigned selected, perturbed;
    bool dependent;
    /* What must be reached; 0: there is no such target. Of R^2 on the image's encoding: the least
     * of the kept variables (and on the text's), the greatest of the omitted ones and of m_x and
     * m_t, of the perturbed ones, and the greatest distance of an omitted one from the closed
     * form. */
    double kept, text_kept, omitted, perturbed_most, closed_form;
};

static const struct setting settings[] = {
    {.selected = FIRST(1)},
    {.selected = FIRST(2)},
    {.selected = FIRST(3), .kept = 0.90, .text_kept = 0.95, .omitted = 0.05},
    {.selected = FIRST(4)},
    {.selected = FIRST(5), .kept = 0.90, .text_kept = 0.95, .omitted = 0.05},
    {.selected = FIRST(6)},
    {.selected = FIRST(7)},
    {.selected = FIRST(8)},
    {.selected = FIRST(9)},
    {.selected = FIRST(10), .kept = 0.80},
    {.selected = FIRST(10), .perturbed = FIRST(2)},
    {.selected = FIRST(10), .perturbed = FIRST(5), .kept = 0.80, .perturbed_most = 0.15},
    {.selected = FIRST(10), .perturbed = FIRST(8)},
    {.selected = FIRST(3), .dependent = true},
    {.selected = FIRST(5), .dependent = true, .kept = 0.90, .closed_form = 0.05},
    {.selected = FIRST(8), .dependent = true},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* Published MCC of the probe out of distribution: the peak and the end. */
static const struct {
    unsigned selected;
    double mcc;
} published_mcc[] = {{FIRST(6), 0.763}, {FIRST(10), 0.480}};
static const double least_mcc_drop = 0.08;

struct outcome {
    double theory[SEMANTIC];
    double r2[2][LATENTS]; /* [side] */
    double mcc[2];         /* of the probe: in distribution, out of it; NaN: not asked for */
    float first_loss, last_loss;
    double condition;
};

static bool has(unsigned set, size_t variable)
{
    return set >> variable & 1;
}

static bool is_probed(const struct setting *s)
{
    return !s->dependent && s->perturbed == 0;
}

/* "{1-3,5}" */
static void set_name(unsigned set, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "{");
    for (size_t i = 0; i < SEMANTIC; i++) {
        if (!has(set, i))
            continue;
        size_t last = i;
        while (last + 1 < SEMANTIC && has(set, last + 1))
            last++;
        used += (size_t)snprintf(text + used, bytes - used, "%s%zu", used > 1 ? "," : "", i + 1);
        if (last > i)
            used += (size_t)snprintf(text + used, bytes - used, "-%zu", last + 1);
        i = last;
    }
    snprintf(text + used, bytes - used, "}");
}

static void setting_name(const struct setting *s, char *text, size_t bytes)
{
    char selected[32], perturbed[32];
    set_name(s->selected, selected, sizeof selected);
    set_name(s->perturbed, perturbed, sizeof perturbed);
    snprintf(text, bytes, "%s%s%s%s", selected, s->perturbed ? " perturbed " : "",
             s->perturbed ? perturbed : "", s->dependent ? " dependent" : "");
}

/* ---- One setting ----------------------------------------------------------------------------- */

static void batch(const void *context, int side, size_t step, size_t rows, float *out)
{
    mixing_observe(context, (enum side)side, step * rows, rows, false, out);
}

static enum loss parse_loss(const char *name)
{
    if (!name || strcmp(name, "symmetric") == 0)
        return LOSS_INFONCE;
    if (strcmp(name, "alignment") != 0)
        refuse("--loss %s: there is no such loss; take symmetric or alignment", name);
    return LOSS_ALIGNMENT;
}

static void open_trainer(struct trainer *t, struct mixing *m, size_t outputs,
                         const struct options *options)
{
    static const char *const names[] = {"image encoder", "text encoder"};
    enum loss loss = parse_loss(options->loss);
    size_t rows = loss == LOSS_ALIGNMENT ? 2 * BATCH : BATCH;
    *t = (struct trainer){.training = {.rows = rows,
                                       .steps = options->steps ? options->steps : STEPS,
                                       .rate = rate,
                                       .clip = clip,
                                       .threads = options->threads},
                          .pairs = {.batch = batch, .context = m}};
    for (int side = IMAGE; side <= TEXT; side++)
        encoder_open(&t->encoder[side], 4,
                     (const size_t[]){m->mixer[side].width, HIDDEN, HIDDEN, HIDDEN, outputs}, slope,
                     rows, random_stream(options->seed, names[side]));
    objective_open(&t->objective, loss, MMK_NEG_SQ_L2, 1 / temperature, 0, false, rows, outputs, 0,
                   options->threads);
    trainer_open(t);
}

/* f(v) = sum v^2 + .3 sum v^3 + .5 sum_{i<j} v_i v_j + .2 sum_{i<j<k} v_i v_j v_k
 *        + .7 sum (sin v + cos v) + .4 sum log(1 + |v|) + .4 sum e^-|v| */
static double label_score(const float *s)
{
    double f = 0;
    for (size_t i = 0; i < LABELLED; i++) {
        double v = (double)s[i];
        f += v * v + 0.3 * v * v * v + 0.7 * (sin(v) + cos(v)) + 0.4 * log1p(fabs(v)) +
             0.4 * exp(-fabs(v));
        for (size_t j = i + 1; j < LABELLED; j++) {
            f += 0.5 * v * (double)s[j];
            for (size_t k = j + 1; k < LABELLED; k++)
                f += 0.2 * v * (double)s[j] * (double)s[k];
        }
    }
    return f;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Whether each score is above `threshold`; NaN: above their own median, which is then set. */
static bool *make_labels(const float *latents, double *threshold)
{
    double *score = allocate(2 * EVALUATED * sizeof *score), *sorted = score + EVALUATED;
    bool *labels = allocate(EVALUATED * sizeof *labels);
    for (size_t i = 0; i < EVALUATED; i++)
        sorted[i] = score[i] = label_score(latents + i * LATENTS);
    qsort(sorted, EVALUATED, sizeof *sorted, compare);
    if (isnan(*threshold))
        *threshold = sorted[EVALUATED / 2];
    for (size_t i = 0; i < EVALUATED; i++)
        labels[i] = score[i] > *threshold;
    free(score);
    return labels;
}

/* Encodings of the image, standardised: of pairs to fit with, and to test with as they are and with
 * the shift, one after the other; latents of the same pairs. */
static void probe(const float *fit, const float *test, size_t features, const float *fit_true,
                  const float *test_true, uint64_t stream, double mcc[2])
{
    double threshold = NAN;
    bool *fit_labels = make_labels(fit_true, &threshold);
    bool *test_labels = make_labels(test_true, &threshold); /* the shift leaves s_1 .. s_5 alone */
    struct encoder classifier;
    probe_train(&classifier, EVALUATED, features, fit, fit_labels, stream);
    for (size_t part = 0; part < 2; part++)
        mcc[part] =
            probe_mcc(&classifier, EVALUATED, test + part * EVALUATED * features, test_labels);
    encoder_close(&classifier);
    free(fit_labels);
    free(test_labels);
}

/* Encodings of EVALUATED pairs. */
static void encode(struct trainer *t, const struct mixing *m, enum side side, uint64_t first,
                   bool shifted, float *encoded)
{
    float *observed = floats(EVALUATED * m->mixer[side].width);
    mixing_observe(m, side, first, EVALUATED, shifted, observed);
    encoder_encode(&t->encoder[side], EVALUATED, observed, encoded);
    free(observed);
}

static void evaluate(struct trainer *t, const struct mixing *m, const struct setting *s,
                     uint64_t seed, struct outcome *out)
{
    size_t n = t->encoder[IMAGE].width[t->encoder[IMAGE].layers];
    float *fit_true = floats(EVALUATED * LATENTS), *test_true = floats(EVALUATED * LATENTS);
    float *fit = floats(EVALUATED * n), *test = floats(2 * EVALUATED * n);
    mixing_latents(m, fit_pairs, EVALUATED, false, fit_true);
    mixing_latents(m, test_pairs, EVALUATED, false, test_true);
    for (int side = IMAGE; side <= TEXT; side++) {
        encode(t, m, (enum side)side, fit_pairs, false, fit);
        encode(t, m, (enum side)side, test_pairs, false, test);
        encode(t, m, (enum side)side, test_pairs, true, test + EVALUATED * n);
        standardise(EVALUATED, n, fit, 2 * EVALUATED, test);
        regression_r2(EVALUATED, n, fit, test, LATENTS, fit_true, test_true, out->r2[side]);
        if (side == IMAGE && is_probed(s))
            probe(fit, test, n, fit_true, test_true, random_stream(seed, "probe"), out->mcc);
    }
    free(fit_true);
    free(test_true);
    free(fit);
    free(test);
}

struct watch {
    char name[HEATMAP_NAME];
    size_t steps;
    float last_loss;
};

static void report(void *context, size_t step, float loss)
{
    struct watch *w = context;
    char line[192];
    w->last_loss = loss;
    snprintf(line, sizeof line, "%s: step %zu of %zu, loss %.3f", w->name, step, w->steps,
             (double)loss);
    progress(line);
}

static struct outcome run_setting(const struct setting *s, const struct options *options,
                                  struct shares *shares)
{
    struct outcome out = {.mcc = {NAN, NAN}};
    struct bias bias = {.dependent = s->dependent};
    struct mixing mixing;
    struct trainer trainer;
    struct watch w;
    bool kept[SEMANTIC];
    for (size_t i = 0; i < SEMANTIC; i++) {
        bias.selected[i] = has(s->selected, i);
        bias.perturbed[i] = has(s->perturbed, i);
    }
    setting_name(s, w.name, sizeof w.name);
    progress(w.name);
    mixing_open(&mixing, &bias, options->seed);
    mixing_explained(&mixing, out.theory);
    open_trainer(&trainer, &mixing, bias_kept(&bias, kept), options);
    w.steps = trainer.training.steps;
    out.first_loss = trainer_run(&trainer, report, &w);
    out.last_loss = w.last_loss;
    out.condition = fmax(mixing.mixer[IMAGE].worst_condition, mixing.mixer[TEXT].worst_condition);
    shares_add(shares, &trainer);
    evaluate(&trainer, &mixing, s, options->seed, &out);
    trainer_close(&trainer);
    return out;
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

enum role { KEPT, OMITTED, PERTURBED };

static enum role role_of(const struct setting *s, size_t variable)
{
    return has(s->perturbed, variable) ? PERTURBED : has(s->selected, variable) ? KEPT : OMITTED;
}

/* Greatest of the private variables m of one side in either encoding. */
static double greatest_private(const struct outcome *out, enum side encoder, enum side of)
{
    double greatest = -INFINITY;
    for (size_t i = 0; i < PRIVATE; i++)
        greatest = fmax(greatest, out->r2[encoder][SEMANTIC + of * PRIVATE + i]);
    return greatest;
}

static void judge(const struct setting *s, const struct outcome *out, struct verdicts *v)
{
    char name[HEATMAP_NAME];
    double least = INFINITY, text_least = INFINITY, omitted = -INFINITY, perturbed = -INFINITY;
    double distance = 0;
    setting_name(s, name, sizeof name);
    for (size_t i = 0; i < SEMANTIC; i++) {
        double r2 = out->r2[IMAGE][i];
        if (role_of(s, i) == KEPT) {
            least = fmin(least, r2);
            text_least = fmin(text_least, out->r2[TEXT][i]);
        } else if (role_of(s, i) == PERTURBED) {
            perturbed = fmax(perturbed, r2);
        } else {
            omitted = fmax(omitted, r2);
            distance = fmax(distance, fabs(r2 - out->theory[i]));
        }
    }
    if (s->kept > 0)
        verdict_least(v, least, s->kept, "%s: least R^2 of a kept variable", name);
    if (s->text_kept > 0)
        verdict_least(v, text_least, s->text_kept, "%s: the same, text encoder", name);
    if (s->omitted > 0) {
        double private = -INFINITY;
        for (int encoder = IMAGE; encoder <= TEXT; encoder++)
            for (int of = IMAGE; of <= TEXT; of++)
        private = fmax(private, greatest_private(out, (enum side)encoder, (enum side)of));
        verdict_most(v, omitted, s->omitted, "%s: greatest R^2 of an omitted variable", name);
        verdict_most(v, private, s->omitted, "%s: greatest R^2 of m_x or m_t", name);
    }
    if (s->perturbed_most > 0)
        verdict_most(v, perturbed, s->perturbed_most, "%s: greatest R^2 of a perturbed variable",
                     name);
    if (s->closed_form > 0)
        verdict_most(v, distance, s->closed_form, "%s: distance from the closed form", name);
}

/* The MCC out of distribution of the setting that selects these; NaN where it was not run. */
static double shifted_mcc(const struct setting *list, const struct outcome *out, size_t count,
                          unsigned selected)
{
    for (size_t i = 0; i < count; i++)
        if (is_probed(&list[i]) && list[i].selected == selected)
            return out[i].mcc[1];
    return NAN;
}

static void judge_shift(const struct setting *list, const struct outcome *out, size_t count,
                        struct verdicts *v)
{
    double drop =
        shifted_mcc(list, out, count, FIRST(6)) - shifted_mcc(list, out, count, FIRST(10));
    if (!isnan(drop))
        verdict_least(v, drop, least_mcc_drop,
                      "out of distribution: MCC of {1-6} less that of {1-10}");
}

/* ---- Report ---------------------------------------------------------------------------------- */

static const char *const titles[] = {"selected", "R^2 on", "s1", "s2", "s3",  "s4",  "s5",
                                     "s6",       "s7",     "s8", "s9", "s10", "m_x", "m_t"};

/* What is kept of independent variables was published for these settings; for others the theorem
 * says it: all that is selected and not perturbed. */
static bool is_published(const struct setting *s)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].selected == s->selected && settings[i].perturbed == s->perturbed &&
            !settings[i].dependent)
            return true;
    return false;
}

static void print_r2(const struct setting *list, const struct outcome *out, size_t count)
{
    struct table table;
    table_open(&table, "llrrrrrrrrrrrr");
    table_titles(&table, titles);
    for (size_t i = 0; i < count; i++) {
        char name[HEATMAP_NAME];
        setting_name(&list[i], name, sizeof name);
        table_cell(&table, "%s", name);
        table_cell(&table, list[i].dependent        ? "closed form"
                           : is_published(&list[i]) ? "published"
                                                    : "theorem");
        for (size_t v = 0; v < SEMANTIC; v++)
            table_cell(&table, "%.2f", out[i].theory[v]);
        table_cell(&table, "0.00");
        table_cell(&table, "0.00");
        for (int side = IMAGE; side <= TEXT; side++) {
            table_cell(&table, " ");
            table_cell(&table, side == IMAGE ? "image" : "text");
            for (size_t v = 0; v < SEMANTIC; v++)
                table_cell(&table, "%.2f", fmax(0, out[i].r2[side][v]));
            for (int of = IMAGE; of <= TEXT; of++)
                table_cell(&table, "%.2f",
                           fmax(0, greatest_private(&out[i], (enum side)side, (enum side)of)));
        }
    }
    table_close(&table, stdout);
}

static void print_mcc(const struct setting *list, const struct outcome *out, size_t count)
{
    struct table table;
    table_open(&table, "lrrr");
    table_titles(&table, (const char *const[]){"selected", "MCC of the probe", "s_9, s_10 shifted",
                                               "published"});
    for (size_t i = 0; i < count; i++) {
        char name[HEATMAP_NAME];
        if (!is_probed(&list[i]))
            continue;
        setting_name(&list[i], name, sizeof name);
        table_cell(&table, "%s", name);
        table_cell(&table, "%.3f", out[i].mcc[0]);
        table_cell(&table, "%.3f", out[i].mcc[1]);
        double published = NAN;
        for (size_t p = 0; p < sizeof published_mcc / sizeof published_mcc[0]; p++)
            if (published_mcc[p].selected == list[i].selected)
                published = published_mcc[p].mcc;
        if (isnan(published))
            table_cell(&table, "-");
        else
            table_cell(&table, "%.3f", published);
    }
    table_close(&table, stdout);
}

static void draw(const struct setting *list, const struct outcome *out, size_t count,
                 const char *path)
{
    enum { COLS = SEMANTIC + 2 };
    char names[MOST_SETTINGS][HEATMAP_NAME];
    double value[MOST_SETTINGS * COLS];
    for (size_t i = 0; i < count; i++) {
        setting_name(&list[i], names[i], sizeof names[i]);
        for (size_t v = 0; v < SEMANTIC; v++)
            value[i * COLS + v] = fmax(0, out[i].r2[IMAGE][v]);
        value[i * COLS + SEMANTIC] = fmax(0, greatest_private(&out[i], IMAGE, IMAGE));
        value[i * COLS + SEMANTIC + 1] = fmax(0, greatest_private(&out[i], IMAGE, TEXT));
    }
    struct heatmap map = {
        .title = "What the image encoder keeps (R^2) of each variable, by what the text selects",
        .rows = count,
        .cols = COLS,
        .row_name = names,
        .col_name = titles + 2,
        .value = value};
    heatmap_make(&map, path);
}

/* ---- Options --------------------------------------------------------------------------------- */

/* "1-5", "2,4,7-9": bits. */
static unsigned parse_set(const char *option, const char *text)
{
    unsigned set = 0;
    for (const char *at = text;;) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
        bool good = end != at;
        if (good && *end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
            good = end != at;
        }
        if (!good || first < 1 || last > SEMANTIC || last < first || (*end && *end != ','))
            refuse("%s %s: that is no set of the variables 1 to %d; write for instance %s 1-5 or "
                   "%s 2,4,7-9",
                   option, text, SEMANTIC, option, option);
        for (long i = first; i <= last; i++)
            set |= 1u << (i - 1);
        if (!*end)
            return set;
        at = end + 1;
    }
}

/* The setting that the options say, with the targets that it has in the list. */
static struct setting parse_setting(const struct options *o)
{
    struct setting s = {.selected =
                            o->selected ? parse_set("--selected", o->selected) : FIRST(SEMANTIC),
                        .perturbed = o->perturbed ? parse_set("--perturbed", o->perturbed) : 0,
                        .dependent = o->dependent};
    if (s.perturbed & ~s.selected)
        refuse("--perturbed %s: what is omitted cannot be perturbed; name some of the selected %s",
               o->perturbed, o->selected);
    if (s.perturbed == s.selected)
        refuse("--perturbed %s: all that is selected is perturbed, and nothing left to learn; "
               "leave one out",
               o->perturbed);
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].selected == s.selected && settings[i].perturbed == s.perturbed &&
            settings[i].dependent == s.dependent)
            return settings[i];
    return s;
}

int misalignment_run(const struct options *o)
{
    struct setting one;
    const struct setting *list = settings;
    size_t count = SETTINGS;
    struct outcome out[MOST_SETTINGS];
    struct shares shares = {0};
    struct verdicts verdicts = {.count = 0};
    char error[4600];
    bool all = !o->selected && !o->perturbed && !o->dependent;
    const char *svg = o->svg ? o->svg : all ? default_svg : NULL;
    parse_loss(o->loss);
    if (!all) {
        one = parse_setting(o);
        list = &one;
        count = 1;
    }
    if (svg && !new_file_possible(svg, error, sizeof error))
        refuse("--svg %s", error);
    double start = timer_now();
    for (size_t i = 0; i < count; i++) {
        progress_count(i + 1, count);
        out[i] = run_setting(&list[i], o, &shares);
        judge(&list[i], &out[i], &verdicts);
    }
    progress_end();
    judge_shift(list, out, count, &verdicts);
    print_r2(list, out, count);
    print_mcc(list, out, count);
    int status = verdicts_print(&verdicts);
    for (size_t i = 0; i < count; i++) {
        char name[HEATMAP_NAME];
        setting_name(&list[i], name, sizeof name);
        printf("%s: loss %.9g at first, %.4f at last; mixers' greatest condition number %.1f\n",
               name, (double)out[i].first_loss, (double)out[i].last_loss, out[i].condition);
    }
    shares_print(&shares, timer_now() - start, count, o->threads);
    if (svg)
        draw(list, out, count, svg);
    return status;
}

/* percent_of_peak.c - a plot as SVG: percent of peak by kernel and instruction set.
 * SPDX-License-Identifier: MIT
 *
 * One line a case, one mark a variant: with forty cases that is read more easily than bars.
 */
#include "percent_of_peak.h"

#include "../base/gnuplot.h"
#include "../base/memory.h"
#include "analysis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the variants look: hand-written ones filled, the compiler's hollow, one colour an ISA; other
 * libraries are triangles. */
struct look {
    const char *variant, *colour;
    int point;
};

static const struct look ours[] = {
    {"scalar", "#888888", 4},         {"autovec-avx2", "#2a78b5", 6},
    {"autovec-avx512", "#c8501e", 6}, {"autovec-neon", "#2e8b57", 6},
    {"avx2", "#2a78b5", 7},           {"avx512", "#c8501e", 7},
    {"neon", "#2e8b57", 7},
};
enum { OURS = sizeof ours / sizeof ours[0], TRIANGLE = 8, LOOKS = OURS + VERSUS_MOST };
static_assert(OURS == 2 * MMK_ISA_COUNT - 1, "of each but scalar two: by hand, and autovec");

const char *plot_colour(const char *variant, size_t *others)
{
    static const char *const more[] = {"#7b3fa0", "#1f8f8f", "#c2448f", "#8a7a1f"};
    for (size_t l = 0; l < OURS; l++)
        if (strcmp(ours[l].variant, variant) == 0)
            return ours[l].colour;
    return more[(*others)++ % (sizeof more / sizeof more[0])];
}

static bool find_row(const struct result *result, const char *variant, struct row *row)
{
    const struct column *column = result_find_column(result, variant);
    if (!column)
        return false;
    analyse(result, column, row);
    return row->timed && row->bounded;
}

/* Cases of one thread in which a hand-written variant has a percentage. */
static bool is_shown(const struct result *result, enum peak *bound)
{
    for (size_t c = result->column_count; c-- > 0 && result->threads == 1;) {
        const struct column *column = &result->columns[c];
        struct row row;
        if (analysis_is_hand_written(column) && find_row(result, column->variant, &row)) {
            *bound = row.bound;
            return true;
        }
    }
    return false;
}

/* gnuplot's enhanced text would take _ for a subscript; it is off. */
static void write_label(FILE *gnuplot, const struct result *result, enum peak bound, size_t y)
{
    bool real = strcmp(result->data, "normal") != 0;
    char name[256];
    snprintf(name, sizeof name, "%s  %s%s%s", result->kernel, result->shape, real ? "  " : "",
             real ? result->data : "");
    fprintf(gnuplot, "set ytics add (");
    plot_tick_text(gnuplot, name);
    fprintf(gnuplot, " %zu)\n", y);
    fprintf(gnuplot,
            "set label \"%s\" at graph 1.01, first %zu left font \",11\" textcolor rgb '#666666'\n",
            peak_label(bound), y);
}

/* The cases that are shown, and which peak binds each. */
struct shown {
    const struct run *run;
    const struct result **list;
    enum peak *bounds;
    size_t count;
};

static bool has_look(const struct look *looks, size_t count, const char *variant)
{
    for (size_t l = 0; l < count; l++)
        if (strcmp(looks[l].variant, variant) == 0)
            return true;
    return false;
}

/* The looks of the variants that have a percentage somewhere. Returns how many. */
static size_t find_looks(const struct shown *s, struct look *looks)
{
    struct look all[LOOKS];
    size_t count = OURS, used = 0, others = 0;
    memcpy(all, ours, sizeof ours);
    for (size_t i = 0; i < s->count; i++)
        for (size_t c = 0; c < s->list[i]->column_count; c++) {
            const struct column *column = &s->list[i]->columns[c];
            if (column->library[0] && count < LOOKS && !has_look(all, count, column->variant))
                all[count++] =
                    (struct look){column->variant, plot_colour(column->variant, &others), TRIANGLE};
        }
    for (size_t l = 0; l < count; l++) {
        struct row row;
        for (size_t i = 0; i < s->count && !has_look(looks, used, all[l].variant); i++)
            if (find_row(s->list[i], all[l].variant, &row))
                looks[used++] = all[l];
    }
    return used;
}

static void write_script(FILE *gnuplot, const void *context)
{
    const struct shown *s = context;
    const struct result *const *shown = s->list;
    const struct machine *machine = &s->run->machine;
    size_t count = s->count;
    size_t height = 130 + 19 * count;
    char day[160];
    fprintf(
        gnuplot,
        "set terminal svg size 1000,%zu dynamic font 'Helvetica,Arial,sans-serif,13' background "
        "rgb 'white' noenhanced\n"
        "set title 'Percent of the peak that binds (named on the right), one thread'.\"\\n\".",
        height);
    machine_text_day(machine, day, sizeof day);
    plot_text(gnuplot, day);
    fprintf(
        gnuplot,
        " font \",16\" offset 0,0.5\n"
        "set xrange [0:105]\nset yrange [%zu.6:0.4]\n"
        "set xtics 0,10,100 nomirror out textcolor rgb '#444444'\n"
        "set x2range [0:105]\nset x2tics 0,10,100 out textcolor rgb '#444444'\n"
        "set ytics () nomirror scale 0 textcolor rgb 'black'\nset border 3 lc rgb '#999999'\n"
        "set grid xtics lt 1 lc rgb '#dddddd'\n"
        "set key at screen 0.5, screen 0.012 center bottom horizontal maxrows 1 samplen 0.5\n"
        "set lmargin at screen 0.40\nset rmargin at screen 0.92\nset tmargin 6\nset bmargin 6.5\n"
        "set arrow from 100, graph 0 to 100, graph 1 nohead lc rgb '#555555' lw 1\n",
        count);
    for (size_t i = 0; i < count; i++) {
        write_label(gnuplot, shown[i], s->bounds[i], i + 1);
        if (i > 0 && strcmp(shown[i]->kernel, shown[i - 1]->kernel) != 0)
            fprintf(gnuplot,
                    "set arrow from graph 0, first %zu.5 to graph 1, first %zu.5 nohead lc rgb "
                    "'#dddddd'\n",
                    i, i);
    }
    struct look looks[LOOKS];
    size_t used = find_looks(s, looks);
    for (size_t l = 0; l < used; l++) {
        fprintf(gnuplot, "%s'-' using 1:2 with points pt %d ps %s lw 1.5 lc rgb '%s' title ",
                l == 0 ? "plot " : ", ", looks[l].point, looks[l].point == 7 ? "0.9" : "0.75",
                looks[l].colour);
        plot_text(gnuplot, looks[l].variant);
    }
    fprintf(gnuplot, "\n");
    for (size_t l = 0; l < used; l++) {
        struct row row;
        for (size_t i = 0; i < count; i++)
            if (find_row(shown[i], looks[l].variant, &row))
                fprintf(gnuplot, "%.2f %zu\n", 100.0 * row.share.median, i + 1);
        fprintf(gnuplot, "e\n");
    }
}

bool plot_percent_of_peak(struct new_file *n, const struct run *run, const char *path, char *error,
                          size_t error_bytes)
{
    struct shown shown = {.run = run,
                          .list = analyse_order(run),
                          .bounds = memory_new(run->result_count, sizeof *shown.bounds)};
    memset(n, 0, sizeof *n);
    for (size_t i = 0; i < run->result_count; i++)
        if (is_shown(shown.list[i], &shown.bounds[shown.count]))
            shown.list[shown.count++] = shown.list[i];
    bool good = shown.count == 0 || plot_make(n, path, write_script, &shown, error, error_bytes);
    free(shown.list);
    free(shown.bounds);
    return good;
}

/* bars.c - figures between 0 and 1 as bars, in groups and panels, through gnuplot.
 * SPDX-License-Identifier: MIT
 */
#include "bars.h"

#include "../base/console.h"
#include "../base/gnuplot.h"

enum { PANEL_HEIGHT = 300 };

static void write_panel(FILE *gnuplot, const struct bars *b, size_t panel)
{
    static const char *const colours[] = {"#c8501e", "#e8b89a", "#8fb8d8", "#2a78b5"};
    fprintf(gnuplot, "set title ");
    plot_text(gnuplot, b->panel_name[panel]);
    fprintf(gnuplot, "\n$panel%zu << END\n", panel);
    for (size_t g = 0; g < b->groups; g++) {
        fprintf(gnuplot, "\"%s\"", b->group_name[g]);
        for (size_t s = 0; s < b->series; s++)
            fprintf(gnuplot, " %.4f", b->value[(panel * b->groups + g) * b->series + s]);
        fprintf(gnuplot, "\n");
    }
    fprintf(gnuplot, "END\n");
    for (size_t s = 0; s < b->series; s++) {
        fprintf(gnuplot, "%s$panel%zu using %zu:xtic(1) title ", s == 0 ? "plot " : ", ", panel,
                s + 2);
        plot_text(gnuplot, b->series_name[s]);
        fprintf(gnuplot, " lc rgb '%s'", colours[s % (sizeof colours / sizeof colours[0])]);
    }
    fprintf(gnuplot, "\n");
}

static void write_script(FILE *gnuplot, const void *context)
{
    const struct bars *b = context;
    fprintf(
        gnuplot,
        "set terminal svg size 1200,%zu dynamic font 'Helvetica,Arial,sans-serif,13' background "
        "rgb 'white' noenhanced\n"
        "set multiplot layout %zu,1 title ",
        50 + PANEL_HEIGHT * b->panels, b->panels);
    plot_text(gnuplot, b->title);
    fprintf(gnuplot, " font ',16'\n"
                     "set style data histogram\nset style histogram clustered gap 1.5\n"
                     "set style fill solid 1 noborder\nset boxwidth 0.9\n"
                     "set yrange [0:1]\nset ytics 0,0.2,1\nset grid ytics lt 1 lc rgb '#dddddd'\n"
                     "set border 3 lc rgb '#999999'\nset tics nomirror scale 0\n"
                     "set key outside right top vertical samplen 1\n");
    for (size_t p = 0; p < b->panels; p++)
        write_panel(gnuplot, b, p);
    fprintf(gnuplot, "unset multiplot\n");
}

void bars_make(const struct bars *bars, const char *path)
{
    struct new_file n;
    char error[4600];
    if (!plot_make(&n, path, write_script, bars, error, sizeof error) ||
        !new_file_place(&n, error, sizeof error))
        refuse("%s", error);
}

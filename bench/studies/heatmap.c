/* heatmap.c - a table of figures between 0 and 1 as a heat map, through gnuplot.
 * SPDX-License-Identifier: MIT
 */
#include "heatmap.h"

#include "../base/console.h"
#include "../base/gnuplot.h"

#include <math.h>

static void write_script(FILE *gnuplot, const void *context)
{
    const struct heatmap *map = context;
    fprintf(
        gnuplot,
        "set terminal svg size 1000,%zu dynamic font 'Helvetica,Arial,sans-serif,13' background "
        "rgb 'white' noenhanced\n"
        "set title ",
        130 + 26 * map->rows);
    plot_text(gnuplot, map->title);
    fprintf(gnuplot,
            " font ',16'\n"
            "set xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\nset cbrange [0:1]\n"
            "set palette defined (0 '#ffffff', 0.5 '#8fb8d8', 1 '#2a78b5')\n"
            "unset key\nset border lc rgb '#999999'\nset tics scale 0\n"
            "set lmargin at screen 0.25\nset cblabel 'R^2'\nset cbtics 0,0.2,1\n"
            "set xtics ()\nset ytics ()\n",
            map->cols - 1, map->rows - 1);
    for (size_t c = 0; c < map->cols; c++) {
        fprintf(gnuplot, "set xtics add (");
        plot_tick_text(gnuplot, map->col_name[c]);
        fprintf(gnuplot, " %zu)\n", c);
    }
    for (size_t r = 0; r < map->rows; r++) {
        fprintf(gnuplot, "set ytics add (");
        plot_tick_text(gnuplot, map->row_name[r]);
        fprintf(gnuplot, " %zu)\n", r);
    }
    fprintf(gnuplot, "$figures << END\n");
    for (size_t r = 0; r < map->rows; r++)
        for (size_t c = 0; c < map->cols; c++)
            if (!isnan(map->value[r * map->cols + c]))
                fprintf(gnuplot, "%zu %zu %.4f\n", c, r, map->value[r * map->cols + c]);
    fprintf(gnuplot, "END\n"
                     "plot $figures using 1:2:3 with image pixels, '' using "
                     "1:2:(sprintf('%%.2f', $3)):($3 > 0.6 ? 0xffffff : 0x444444) with labels font "
                     "',11' textcolor rgb variable\n");
}

void heatmap_make(const struct heatmap *map, const char *path)
{
    struct new_file n;
    char error[4600];
    if (!plot_make(&n, path, write_script, map, error, sizeof error) ||
        !new_file_place(&n, error, sizeof error))
        refuse("%s", error);
}

/* gnuplot.c - runs gnuplot on a script, and names the files that come out.
 * SPDX-License-Identifier: MIT
 *
 * gnuplot gets script and data through a pipe, and its standard output is the new file: there is no
 * shell, no path in the script, and nothing but the plot is left behind.
 */
#include "gnuplot.h"

#include "child.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

void plot_name(const char *plot, const char *slug, char *name, size_t bytes)
{
    snprintf(name, bytes, "%s%s%s.svg", plot, slug ? "-" : "", slug ? slug : "");
}

/* Whatever could mean something to gnuplot stands as its code: it looks for backquotes before it
 * knows strings, and takes three quotes for an empty string and the beginning of another. After
 * a first 0 a code has four digits, else three. */
static void write_text(FILE *gnuplot, const char *text, bool is_format)
{
    fputc('"', gnuplot);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool control = c < ' ' || c == 0x7f;
        if (isalnum(c) || c >= 0x80 || strchr(" ()+-*/.,:;=_", c))
            fputc(c, gnuplot);
        else if (control) /* the end of a line too: it would be one of the picture's text */
            fputc(' ', gnuplot);
        else if (is_format && c == '%')
            fprintf(gnuplot, "%%%%");
        else
            fprintf(gnuplot, c < 0100 ? "\\%04o" : "\\%03o", c);
    }
    fputc('"', gnuplot);
}

void plot_text(FILE *gnuplot, const char *text)
{
    write_text(gnuplot, text, false);
}

void plot_tick_text(FILE *gnuplot, const char *text)
{
    write_text(gnuplot, text, true);
}

/* On a full disk gnuplot exits with 0. */
static bool is_whole_svg(int fd)
{
    char end[32] = "";
    off_t size = lseek(fd, 0, SEEK_END), at = size - (off_t)(sizeof end - 1);
    size_t used = 0;
    for (ssize_t got = 1; at >= 0 && got > 0 && used < sizeof end - 1; used += (size_t)got)
        if ((got = pread(fd, end + used, sizeof end - 1 - used, at + (off_t)used)) < 0)
            return false;
    return strstr(end, "</svg>") != NULL;
}

bool plot_make(struct new_file *n, const char *path,
               void (*write_script)(FILE *gnuplot, const void *context), const void *context,
               char *error, size_t error_bytes)
{
    static const char *const argv[] = {"gnuplot", NULL};
    struct child gnuplot;
    if (!new_file_open(n, path, error, error_bytes))
        return false;
    if (!child_start_into(&gnuplot, argv, fileno(n->file))) {
        int problem = errno;
        new_file_drop(n);
        if (problem == ENOENT)
            fprintf(stderr, "%s: %s was not made, gnuplot is not there; `make deps` installs it\n",
                    program_invocation_short_name, path);
        else
            snprintf(error, error_bytes, "%s: gnuplot cannot be started (%s); close something",
                     path, strerror(problem));
        return problem == ENOENT;
    }
    write_script(gnuplot.to, context);
    bool written = !ferror(gnuplot.to);
    if (!child_stop(&gnuplot) || !written || !is_whole_svg(fileno(n->file))) {
        new_file_drop(n);
        snprintf(error, error_bytes, "%s could not be plotted; is gnuplot whole, or the disk full?",
                 path);
        return false;
    }
    return new_file_finish(n, true, error, error_bytes);
}

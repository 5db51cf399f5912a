/* gnuplot.c - runs gnuplot on a script, and names the files that come out.
 * SPDX-License-Identifier: MIT
 *
 * gnuplot gets script and data through a pipe, so that nothing but the plot is left behind.
 */
#include "gnuplot.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void plot_name(const char *plot, const char *slug, char *name, size_t bytes)
{
    snprintf(name, bytes, "%s%s%s.svg", plot, slug ? "-" : "", slug ? slug : "");
}

bool plot_make(const char *path,
               void (*write_script)(FILE *gnuplot, const char *output, const void *context),
               const void *context, char *error, size_t error_bytes)
{
    if (system("command -v gnuplot >/dev/null 2>&1") != 0) {
        fprintf(stderr, "%s: %s was not made, gnuplot is not there; `make deps` installs it\n",
                program_invocation_short_name, path);
        return true;
    }
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.%ld.part", path, (long)getpid());
    FILE *gnuplot = popen("gnuplot", "w");
    if (gnuplot)
        write_script(gnuplot, temporary, context);
    if (gnuplot && pclose(gnuplot) == 0 && rename(temporary, path) == 0)
        return true;
    remove(temporary);
    snprintf(error, error_bytes,
             "%s could not be plotted; is gnuplot whole and the folder writable?", path);
    return false;
}

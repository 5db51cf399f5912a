/* options.h - what mmk-bench understands on its command line.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_OPTIONS_H
#define MMK_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the options say; NULL, 0 and false where there is none. */
struct arguments {
    const char *kernel, *isa, *peers, *json, *data, *pairs, *profile, *results, *tables, *gate,
        *junit;
    const char *once, *undisturbed;
    const char *curves; /* NULL: not wanted; "": all */
    char shapes[1024];
    int threads;
    size_t dim;
    double seconds, precision;
    bool precision_given; /* precision: percent */
    double threshold;     /* percent */
    double limit;         /* seconds */
    uint64_t seed;
    bool bf16, markdown, csv, list, smoke, all, serve, launch;
};

/* Reads the options into a, which holds the defaults. What is wrong is refused. */
void options_parse(int argc, char **argv, struct arguments *a);

#endif

/* options.h - mmk-check's options: read, checked, and asked what they leave of all trials.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_OPTIONS_H
#define MMK_CHECK_OPTIONS_H

#include "../../ref/case.h"

enum { LIST_MAX = 64, THREADS_MAX = 8 };

struct list {
    const char *item[LIST_MAX];
    int count;
};

struct options {
    struct list kernel, isa, fill, shape, require;
    const struct list *part; /* --part: what it stands for goes to kernel */
    int threads[THREADS_MAX];
    int thread_count;
    uint64_t seed;
    unsigned long repeat;
    bool may_take_many; /* threads, where a shape has work for them */
    bool threads_given; /* they are not the default */
    bool list, fingerprint, quick, tap, quiet, stop, emulated, no_oracle;
    const char *junit, *json, *library;
};

/* Says what is wrong with the options, or with what they ask of this machine, and exits with 2. */
__attribute__((format(printf, 1, 2), noreturn)) void options_error(const char *format, ...);

/* Reads the command line; what it does not say has its default. Wrong options end the program. */
void options_parse(struct options *options, int argc, char **argv);

/* Kernels, families and fills that were named must exist; else it says so and exits. */
void options_check_names(const struct options *options);

/* Whether the options leave a kernel, a fill of a shape, a shape by its text. A list that was not
 * given leaves all; a fill has to mean something for the kernel, too. */
bool options_have_kernel(const struct options *options, const struct kernel *kernel);
bool options_have_fill(const struct options *options, const struct kernel *kernel,
                       const struct shape *shape, enum fill fill);
bool options_have_shape(const struct options *options, const char *text);

#endif

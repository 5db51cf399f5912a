/* shape.h - a case of a run, and its shape as text: what --shape understands, and the tables print.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SHAPE_H
#define MMK_BENCH_SHAPE_H

#include "../data/data.h"
#include "run.h"

/* How much of the logits the workspace of a case holds, in percent; with none the function
 * allocates for itself. */
enum { WORKSPACE_NONE = -1, WORKSPACE_STREAMED = 0, WORKSPACE_STORED = 100 };

/* One case of a run: a kernel at a shape, and what else its time depends on. */
struct plan_case {
    const struct kernel *kernel;
    struct shape shape;
    const struct source *source; /* NULL: synthetic, fill */
    enum fill fill;
    int threads;
    int workspace; /* percent, or WORKSPACE_NONE */
    /* Cases of one group, other than 0, are timed in the same rounds; they follow each other and
     * differ in threads and workspace only. */
    int group;
    enum curve curve;
    bool peers; /* other libraries take part */
    int order;  /* place in the tables */
};

/* Whether the kernel has a size of that letter: m, n, d or k. */
bool shape_has(const struct kernel *kernel, char dim);

/* The workspace of a case that does not say which: all of the logits, where there is a choice. */
int shape_default_workspace(const struct kernel *kernel);

/* "4096x4096x512 stored", "25000 k=10": what a reader of a table needs, and --shape understands. */
void shape_write(const struct plan_case *c, char *text, size_t bytes);

/* "m=4096,n=4096,d=512:dot:stored": the same as one word that says everything. */
/* The same, but every word stands there: another build may have other standards. */
void shape_write_whole(const struct plan_case *c, char *text, size_t bytes);
void shape_write_word(const struct plan_case *c, char *text, size_t bytes);

/* What one --shape said. */
struct shape_text {
    size_t unnamed[4]; /* sizes in the order of the kernel's dims */
    size_t unnamed_count;
    size_t m, n, d, k, negatives; /* by name; SIZE_MAX: not given */
    /* By words, and -1 or 0 where they say nothing. */
    int similarity, workspace, fill;
    float logit_scale, weight_x, weight_y;
    size_t offset, ld_extra;
};

/* Reads "4096x4096x512 stored", "m=64,n=1000,d=3:dot:offset=7", "25000,k=10": sizes in the order of
 * the kernel's dims, or by name, and words; what shape_write and ref's shape_format write. False:
 * it is no shape. */
bool shape_parse(const char *text, struct shape_text *s);

/* Puts what the text means for the kernel into the case: its standard shape, where the text does
 * not say otherwise. False: it does not fit. */
bool shape_put(const struct shape_text *text, struct plan_case *c);

/* Whether all sizes and words are the same. The bytes between the fields may differ. */
bool shape_same(const struct shape *a, const struct shape *b);

#endif

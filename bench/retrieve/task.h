/* task.h - what mmk-bench retrieve works on: options, vectors, what is relevant, rankings.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_RETRIEVE_TASK_H
#define MMK_BENCH_RETRIEVE_TASK_H

#include "../data/relevance.h"
#include "../data/vectors.h"

enum { FASHION_CLASSES = 10 };

struct retrieve_options {
    const char *queries, *gallery, *relevant, *rankings, *save_rankings, *isa;
    struct metrics_wanted wanted;
    size_t depth;
    enum mmk_similarity similarity;
    const char *similarity_text; /* NULL: not given */
    bool both, bf16, depth_given;
    int threads; /* 0: not given */
};

/* Rows that search, and what they should find in the other side. */
struct side {
    struct vectors vectors;
    const char *name; /* for the tables */
    struct relevance relevance;
    size_t depth;       /* of its rankings */
    uint32_t *rankings; /* vectors.rows x depth */
    struct metrics_wanted wanted;
};

struct task {
    struct side queries, gallery; /* the gallery searches with --both only */
    unsigned char *classes;       /* of the queries; NULL: no classes with names */
};

/* Reads what the options name, or Fashion-MNIST, and makes room for the rankings. What is wrong
 * with it is refused. */
void task_open(struct task *task, const struct retrieve_options *options);

/* Marks the rows that hold NaN or Inf as queries that find nothing: all their scores are alike, or
 * no numbers, and what comes first then says nothing of them. */
void side_mark_missed(struct side *side);
void side_close(struct side *side);
void task_close(struct task *task);

/* Reads rankings from a file as a side without vectors, and what they should have found among *n
 * rows. An empty line is a query that finds nothing. */
void task_open_rankings(struct side *side, const struct retrieve_options *options, size_t *n);

#endif

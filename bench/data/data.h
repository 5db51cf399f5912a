/* data.h - real vectors: Fashion-MNIST, or the user's own files.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_DATA_H
#define MMK_BENCH_DATA_H

#include "../../ref/trial.h"

#include <stdbool.h>
#include <stddef.h>

/* Rows of d floats, ld from one to the next. Queries and gallery feed similarity and top-k; pair i
 * of `pairs` is the other view of query i, for InfoNCE. */
struct source {
    char name[64];
    size_t d;
    const float *queries, *gallery, *pairs;
    size_t query_rows, gallery_rows, pair_rows; /* pair_rows may be 0 */
    size_t query_ld, gallery_ld, pair_ld;
    void *storage; /* what data_close gives back */
};

/* Fashion-MNIST: queries are the 10,000 test images, the gallery up to gallery_rows training
 * images, pairs the test images flipped left to right. False: error is one sentence. */
bool data_open_fashion(struct source *source, size_t gallery_rows, char *error, size_t error_bytes);

/* The path of one of its files: MMK_FASHION_MNIST names the folder, else where Debian has it. */
void data_fashion_path(const char *name, char *path, size_t path_bytes);

/* data: queries, and the gallery too where pairs is NULL. pairs: gallery and the other view. bf16:
 * 16-bit integers of a .npy are that. */
bool data_open_files(struct source *source, const char *data, const char *pairs, bool bf16,
                     char *error, size_t error_bytes);
void data_close(struct source *source);

/* Whether the source feeds the kernel and has the rows and the dimension that the shape needs. */
bool data_fits(const struct source *source, const struct kernel *kernel, const struct shape *shape);

/* Fills the inputs of an open trial (FILL_GIVEN). Different `turn`s begin at different queries.
 * Scores are cosines of queries with the gallery. */
void data_fill(const struct source *source, struct trial *trial, size_t turn);

#endif

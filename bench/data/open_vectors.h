/* open_vectors.h - embeddings from a file of any format that is known here.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_OPEN_VECTORS_H
#define MMK_BENCH_OPEN_VECTORS_H

#include "vectors.h"

/* What is read, for --help. */
#define VECTORS_READ                                                                               \
    ".npy of f32, f64, f16, int8 or uint8 (of bf16 with --bf16), .fbin, .f16bin, .i8bin, .u8bin, " \
    ".fvecs or .bvecs"
#define VECTORS_BF16                                                                               \
    "the 16-bit integers ('<u2') of a .npy are bf16, as torch's view(torch.uint16) saves them; "   \
    "or '<V2', as ml_dtypes does"

/* How files are to be taken. */
struct vectors_how {
    bool bf16;                          /* the 16-bit integers of a .npy are bf16 */
    void (*progress)(const char *what); /* NULL: nothing is said */
};

/* Opens a file as its name's ending says; any other as .npy, which is known by its first bytes.
 * False: error is one sentence that names the file, the problem and the remedy. */
bool vectors_open(const char *path, const struct vectors_how *how, struct vectors *vectors,
                  char *error, size_t error_bytes);

/* The same of a file whose name says nothing: as one with this ending. */
bool vectors_open_as(const char *path, const char *ending, const struct vectors_how *how,
                     struct vectors *vectors, char *error, size_t error_bytes);

/* The endings that are known, in their order; NULL after the last. */
const char *vectors_ending(size_t number);

#endif

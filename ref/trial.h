/* trial.h - one trial from allocation to verdict; what the checker and the bench share.
 * SPDX-License-Identifier: MIT
 *
 *     struct trial t;
 *     struct verdict v;
 *     if (trial_open(&t, kernel, &shape, FILL_NORMAL, seed)) {
 *         trial_fill(&t);                           case.h; with FILL_GIVEN write x and y (or
 *                                                   scores) before: it then only makes the inputs
 *                                                   that follow from them (lse of a backward)
 *         trial_oracle(&t);                         once: it does not depend on who runs the trial
 *         for (every variant) {
 *             trial_poison(&t);
 *             isa_use_row(row), t.options.threads = ...;
 *             status = trial_call(&t);
 *             if (status == MMK_OK && trial_check(&t, &v))
 *                 ...
 *         }
 *         trial_close(&t);
 *     }
 */
#ifndef MMK_TRIAL_H
#define MMK_TRIAL_H

#include "case.h"

#include <math.h>

struct verdict {
    bool pass;
    size_t judged;      /* output elements compared with the oracle */
    size_t wrong;       /* of these (and of padding, canaries, count) how many are wrong */
    double worst_share; /* greatest |error| / bound: 1 is the limit. 0 where the bound is 0 */
    double worst_abs;   /* greatest |error| among the finite ones */
    double worst_ulp;   /* the greatest in units of the last place of the expected float */
    char message[320];  /* the first wrong element, in one sentence; "" when pass */
};

/* Lays out a trial and allocates inputs, outputs, expected and bound. Data is aligned to 64 bytes
 * (2 MB where it is larger). False: no memory, nothing to close. */
bool trial_open(struct trial *trial, const struct kernel *kernel, const struct shape *shape,
                enum fill fill, uint64_t seed);

/* Frees what trial_open allocated, wherever data points by then. */
void trial_close(struct trial *trial);

/* Runs the oracle: expected and bound of every output. Uses all cores for large shapes. */
void trial_oracle(struct trial *trial);

/* Outputs (padding between rows included) get a NaN pattern that no function writes. */
void trial_poison(struct trial *trial);

/* Judges the outputs against the oracle. Class first (NaN must be 0x7fc00000; Inf with its sign),
 * then |data - expected| <= bound; padding and untouched elements must still be poisoned. */
bool trial_check(const struct trial *trial, struct verdict *verdict);

/* The part of it that needs no oracle: nothing was written between the rows of an output. */
bool trial_check_padding(const struct trial *trial, struct verdict *verdict);

/* prepare, call and release of the kernel. */
enum mmk_status trial_call(struct trial *trial);

/* How much workspace the call of the trial would use; the trial stays as it is. For kernels that
 * take threads. */
enum mmk_status trial_query(struct trial *trial, int threads, struct mmk_workspace_bytes *bytes);

/* The same for a shape, without its rows: it costs neither the memory nor the time to fill it. Not
 * for kernels that have something to prepare. */
enum mmk_status trial_workspace(const struct kernel *kernel, const struct shape *shape, int threads,
                                struct mmk_workspace_bytes *bytes);

/* A hash of every output and count, not of padding: equal on every ISA and machine. */
uint64_t trial_fingerprint(const struct trial *trial);

/* Bytes of one element. */
size_t element_bytes(enum element element);

/* Bytes from a buffer's first element to its last (the padding after the last row is not part of
 * it). */
size_t buffer_bytes(const struct buffer *buffer);

/* Writes floats into the elements from `at` on of a buffer of f32, or rounded of f16 or bf16. */
void buffer_put(const struct buffer *buffer, size_t at, const float *row, size_t count);

/* The spacing of floats at a value. */
double trial_ulp(double value);

#endif

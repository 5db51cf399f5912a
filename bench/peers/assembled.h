/* assembled.h - InfoNCE as a C user would assemble it from a library's matrix product.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ASSEMBLED_H
#define MMK_BENCH_ASSEMBLED_H

#include "peer.h"

/* What the library brings; an adapter's peer.about. */
struct matrix_library {
    /* C (m x n) = op(A) (m x k) op(B) (k x n), or added to C; row-major, op transposes or not. */
    void (*sgemm)(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
                  size_t lda, const float *b, size_t ldb, bool add, float *c, size_t ldc);
    void (*set_threads)(int threads);
    /* Logits are made and used this many rows at a time, in d; 0: all at once. What was measured to
     * be best. */
    size_t strip;
};

/* For the members of struct peer that have these names. */
bool assembled_runs(const struct kernel *kernel);
bool assembled_prepare(struct peer *peer, const struct trial *trial, char *error,
                       size_t error_bytes);
enum mmk_status assembled_call(struct peer *peer, struct trial *trial);
void assembled_close(struct peer *peer);

#endif

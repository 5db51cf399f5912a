/* assembled.h - kernels as a C user would assemble them from a library's matrix product.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ASSEMBLED_H
#define MMK_BENCH_ASSEMBLED_H

#include "../peer.h"

/* What the library brings; an adapter's peer.about. */
struct matrix_library {
    /* C (m x n) = op(A) (m x k) op(B) (k x n), or added to C; row-major, op transposes or not. */
    void (*sgemm)(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
                  size_t lda, const float *b, size_t ldb, bool add, float *c, size_t ldc);
    /* y (n) = A (n x k) x (k); NULL: sgemm sees to that. */
    void (*sgemv)(size_t n, size_t k, const float *a, size_t lda, const float *x, float *y);
    void (*set_threads)(int threads);
    /* Products with something to be done to them are made this many rows at a time, in d; 0: all at
     * once. What was measured to be best. */
    size_t strip;
};

/* For the members of struct peer that have these names; prepare sets peer->call. */
bool assembled_runs(const struct kernel *kernel);
bool assembled_prepare(struct peer *peer, const struct trial *trial, char *error,
                       size_t error_bytes);
void assembled_close(struct peer *peer);

/* One family of kernels, which keeps what it has prepared between calls. */
struct assembly {
    bool (*runs)(const struct kernel *kernel);
    /* After close. How it is put together goes to peer->how. */
    bool (*prepare)(struct peer *peer, const struct matrix_library *library,
                    const struct trial *trial, char *error, size_t error_bytes);
    enum mmk_status (*call)(struct peer *peer, struct trial *trial);
    void (*close)(void);
};

extern const struct assembly assembled_infonce, assembled_matrix, assembled_search;

/* Rows in a strip of m x n products of d. */
static inline size_t assembled_strip(const struct matrix_library *library, size_t m, size_t d)
{
    size_t rows = library->strip * d;
    return rows > 0 && rows < m ? rows : m;
}

#endif

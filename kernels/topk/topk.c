/* topk.c - mmk_topk and mmk_topk_rows: argument checks, memory, threads.
 * SPDX-License-Identifier: MIT
 *
 * A row is one stream (topk_stream.h), and threads take rows. All time is in the stream's loops: for few
 * results the read of the row, for many the candidates and their sort (topk_<isa>.c has figures).
 * mmk_topk is mmk_topk_rows of one row on the caller's thread; up to k = 256 it allocates nothing.
 */
#include "topk_stream.h"

#include "../call/args.h"
#include "../isa/isa.h"

#include <stdlib.h>

/* Up to this much working memory stands on the stack: enough for k = 256. */
enum { STACK_BYTES = 48 * 1024, MEMORY_ALIGN = 64 };

/* What one row after another is selected with. */
struct selector {
    struct topk_stream stream;
    struct topk_scratch scratch;
};

static size_t selector_bytes(size_t n, size_t k)
{
    return topk_scratch_bytes(k) + topk_stream_bytes(topk_push_capacity(k, n)) + MEMORY_ALIGN;
}

static void selector_init(struct selector *selector, size_t n, size_t k, unsigned char *memory)
{
    memory += (MEMORY_ALIGN - (uintptr_t)memory % MEMORY_ALIGN) % MEMORY_ALIGN;
    topk_scratch_init(&selector->scratch, k, memory);
    topk_stream_init(&selector->stream, k, topk_push_capacity(k, n),
                     memory + topk_scratch_bytes(k));
}

static void select_rows(const struct topk_ops *ops, struct selector *selector, size_t begin,
                        size_t end, size_t n, const float *scores, size_t ldscores, float *values,
                        uint32_t *indices, size_t ldout)
{
    for (size_t i = begin; i < end; i++) {
        topk_stream_reset(&selector->stream);
        topk_stream_push(ops, &selector->stream, &selector->scratch, n, scores + i * ldscores, 0);
        topk_stream_finish(ops, &selector->stream, &selector->scratch,
                           values != NULL ? values + i * ldout : NULL,
                           indices != NULL ? indices + i * ldout : NULL);
    }
}

static void select_rows_on_stack(const struct topk_ops *ops, size_t begin, size_t end, size_t n,
                                 const float *scores, size_t ldscores, size_t k, float *values,
                                 uint32_t *indices, size_t ldout)
{
    unsigned char memory[STACK_BYTES];
    struct selector selector;
    selector_init(&selector, n, k, memory);
    select_rows(ops, &selector, begin, end, n, scores, ldscores, values, indices, ldout);
}

/* The outputs hold k elements a row, of which only the first found are written. */
static enum mmk_status check_outputs(size_t m, size_t k, size_t found, const float *values,
                                     const uint32_t *indices, size_t ldout)
{
    if (ldout < k)
        return MMK_ERR_LEADING_DIMENSION;
    if (m <= 1 || (values == NULL && indices == NULL))
        return MMK_OK;
    return args_matrix(values != NULL ? (const void *)values : indices, m, found, ldout);
}

enum mmk_status mmk_topk_rows(size_t m, size_t n, const float *scores, size_t ldscores, size_t k,
                              float *values, uint32_t *indices, size_t ldout, size_t *count,
                              const struct mmk_options *options)
{
    const struct isa_row *row;
    size_t found = k < n ? k : n;
    enum mmk_status status = isa_current(&row);
    if (status == MMK_OK)
        status = args_options(options);
    if (status == MMK_OK && n > UINT32_MAX)
        status = MMK_ERR_SIZE;
    if (status == MMK_OK)
        status = args_matrix(scores, m, n, ldscores);
    if (status == MMK_OK)
        status = check_outputs(m, k, found, values, indices, ldout);
    if (status != MMK_OK)
        return status;
    if (m == 0 || found == 0 || (values == NULL && indices == NULL)) {
        if (count != NULL)
            *count = found;
        return MMK_OK;
    }

    size_t bytes = selector_bytes(n, found);
    size_t threads = (size_t)args_threads(options != NULL ? options->threads : 0, m);
    unsigned char *memory = NULL, *allocated = NULL;
    if (bytes > STACK_BYTES) {
        size_t total;
        if (__builtin_mul_overflow(bytes, threads, &total))
            return MMK_ERR_SIZE;
        if (options != NULL && options->workspace_bytes >= total)
            memory = options->workspace;
        else
            memory = allocated = malloc(total);
        if (memory == NULL)
            return MMK_ERR_NO_MEMORY;
    }

    if (threads == 1 && memory == NULL) {
        select_rows_on_stack(row->topk, 0, m, n, scores, ldscores, found, values, indices, ldout);
    } else {
#pragma omp parallel num_threads((int)threads) if (threads > 1)
        {
            size_t team = (size_t)omp_get_num_threads();
            size_t me = (size_t)omp_get_thread_num();
            size_t share = m / team, left = m % team;
            size_t begin = me * share + (me < left ? me : left);
            size_t end = begin + share + (me < left);
            if (memory == NULL) {
                select_rows_on_stack(row->topk, begin, end, n, scores, ldscores, found, values,
                                     indices, ldout);
            } else {
                struct selector selector;
                selector_init(&selector, n, found, memory + me * bytes);
                select_rows(row->topk, &selector, begin, end, n, scores, ldscores, values, indices,
                            ldout);
            }
        }
    }
    free(allocated);
    if (count != NULL)
        *count = found;
    return MMK_OK;
}

enum mmk_status mmk_topk(size_t n, const float *scores, size_t k, float *values, uint32_t *indices,
                         size_t *count)
{
    static const struct mmk_options one_thread = {1, NULL, 0};
    return mmk_topk_rows(1, n, scores, n, k, values, indices, k, count, &one_thread);
}

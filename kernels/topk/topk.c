/* topk.c - mmk_topk: argument checks, memory, threads.
 * SPDX-License-Identifier: MIT
 *
 * A row is one stream (topk_stream.h), and threads take rows. All time is in the stream's loops:
 * for few results the read of the row, for many the candidates and their sort (topk_<isa>.c has
 * figures). Up to k = 64 it allocates nothing.
 */
#include "topk_stream.h"

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/size.h"
#include "../call/threads.h"
#include "../isa/isa.h"

#include <stdlib.h>

/* Up to this much working memory stands on the stack: enough for k = 64, and little enough for a
 * caller whose thread has 48 KB. */
enum { STACK_BYTES = 32 * 1024, MEMORY_ALIGN = 64 };

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

/* What is selected from, and where it goes. */
struct selection {
    const struct topk_ops *ops;
    size_t n;
    const float *scores;
    size_t ldscores;
    size_t k; /* at most n */
    float *values;
    uint32_t *indices;
    size_t ldout;
};

static void select_rows(const struct selection *s, struct selector *selector, size_t begin,
                        size_t end)
{
    for (size_t i = begin; i < end; i++) {
        topk_stream_reset(&selector->stream);
        topk_stream_push(s->ops, &selector->stream, &selector->scratch, s->n,
                         s->scores + i * s->ldscores, 0);
        topk_stream_finish(s->ops, &selector->stream, &selector->scratch,
                           s->values != NULL ? s->values + i * s->ldout : NULL,
                           s->indices != NULL ? s->indices + i * s->ldout : NULL);
    }
}

static void select_rows_on_stack(const struct selection *s, size_t begin, size_t end)
{
    unsigned char memory[STACK_BYTES];
    struct selector selector;
    selector_init(&selector, s->n, s->k, memory);
    select_rows(s, &selector, begin, end);
}

/* Selects the rows of one worker. */
static void select_part(const struct selection *s, size_t begin, size_t end, unsigned char *memory)
{
    if (memory == NULL) {
        select_rows_on_stack(s, begin, end);
    } else {
        struct selector selector;
        selector_init(&selector, s->n, s->k, memory);
        select_rows(s, &selector, begin, end);
    }
}

/* All rows; memory: so many bytes for each worker, or NULL. */
struct rows_of_scores {
    const struct selection *selection;
    size_t m;
    unsigned char *memory;
    size_t bytes;
};

static void select_some(void *context, size_t worker, size_t workers)
{
    const struct rows_of_scores *all = context;
    size_t begin, end;
    threads_share(all->m, worker, workers, &begin, &end);
    select_part(all->selection, begin, end,
                all->memory != NULL ? all->memory + worker * all->bytes : NULL);
}

enum mmk_status mmk_topk(const struct mmk_matrix *scores, const struct mmk_topk_results *results,
                         const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    struct args_topk out;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_options(options)) != MMK_OK ||
        (status = args_refuse_origin(options, "mmk_topk takes scores")) != MMK_OK ||
        (status = args_matrix("scores", scores, ARGS_F32, ARGS_READ, options, &rows)) != MMK_OK ||
        (status = args_below_2_32("scores", "columns", rows.columns)) != MMK_OK ||
        (status = args_topk_results("results", results, rows.rows, rows.columns, &out)) != MMK_OK)
        return status;

    size_t m = rows.rows, bytes = selector_bytes(rows.columns, out.found), total = 0;
    size_t threads = (size_t)args_threads(options, m);
    bool wanted = m != 0 && out.found != 0 && (out.values != NULL || out.indices != NULL);
    if (wanted && bytes > STACK_BYTES && __builtin_mul_overflow(bytes, threads, &total))
        return args_error(MMK_ERR_SIZE, "the memory that this k takes cannot be addressed");
    if (args_is_query(options)) {
        *options->query = (struct mmk_workspace_bytes){total, total};
        return MMK_OK;
    }
    if (wanted) {
        const struct selection selection = {isa->topk, rows.columns, rows.data,   rows.ld,
                                            out.found, out.values,   out.indices, out.ld};
        bool given = total != 0 && options != NULL && options->workspace_bytes >= total;
        unsigned char *allocated = total != 0 && !given ? malloc(total) : NULL;
        if (total != 0 && !given && allocated == NULL)
            return args_error(MMK_ERR_NO_MEMORY,
                              "%zu bytes of working memory could not be allocated", total);
        threads_run(
            (int)threads, select_some,
            &(struct rows_of_scores){&selection, m, given ? options->workspace : allocated, bytes});
        free(allocated);
    }
    if (out.count != NULL)
        *out.count = out.found;
    return MMK_OK;
}

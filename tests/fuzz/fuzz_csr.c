/* fuzz_csr.c - targets of InfoNCE and the sigmoid loss, right and wrong ones.
 * SPDX-License-Identifier: MIT
 *
 * Wrong ones are refused, and nothing is written; right ones give the same bits on every
 * instruction set.
 */
#include "../../kernels/mmk.h"
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 6, MOST_ENTRIES = 12, DIM = 3, OUTPUTS = 1 + MOST_ROWS * DIM * 2 };

struct problem {
    size_t m, n, *row_start;
    uint32_t *column;
    float *weight, x[MOST_ROWS * DIM], y[MOST_ROWS * DIM];
    bool sigmoid, exclude_self;
    size_t offset;
};

static enum mmk_status call(const struct problem *p, float out[OUTPUTS])
{
    struct mmk_matrix x = {.data = p->x, .rows = p->m, .columns = DIM};
    struct mmk_matrix y = {.data = p->y, .rows = p->n, .columns = DIM};
    struct mmk_matrix_out dx = {.data = out + 1, .rows = p->m, .columns = DIM};
    struct mmk_matrix_out dy = {.data = out + 1 + MOST_ROWS * DIM, .rows = p->n, .columns = DIM};
    struct mmk_csr targets = {p->row_start, p->column, p->weight};
    if (p->sigmoid) {
        struct mmk_sigmoid_problem sigmoid = {
            .x = &x, .y = &y, .logit_scale = 3, .bias = -1, .positives = &targets};
        struct mmk_sigmoid_results results = {.loss = out, .dx = &dx, .dy = &dy};
        return mmk_sigmoid(&sigmoid, &results, NULL);
    }
    struct mmk_infonce_problem infonce = {.x = &x,
                                          .y = &y,
                                          .logit_scale = 3,
                                          .targets = &targets,
                                          .offset = p->offset,
                                          .exclude_self = p->exclude_self};
    struct mmk_infonce_results results = {.loss = out, .dx = &dx, .dy = &dy};
    return mmk_infonce(&infonce, &results, NULL);
}

/* What mmk.h asks of the sparse matrix. */
static bool is_right(const struct problem *p)
{
    for (size_t i = 0; i < p->m; i++) {
        if (p->row_start[i + 1] < p->row_start[i])
            return false;
        for (size_t e = p->row_start[i]; e < p->row_start[i + 1]; e++) {
            bool weighs = p->weight == NULL || p->weight[e] != 0;
            if (p->column[e] >= p->n)
                return false;
            if (p->weight != NULL && !(p->weight[e] >= 0 && isfinite(p->weight[e])))
                return false;
            if (p->exclude_self && !p->sigmoid && weighs && p->column[e] == i + p->offset)
                return false;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t entries = fuzz_below(&in, MOST_ENTRIES + 1);
    struct problem p = {.m = fuzz_below(&in, MOST_ROWS) + 1,
                        .n = fuzz_below(&in, MOST_ROWS) + 1,
                        .sigmoid = fuzz_below(&in, 2),
                        .exclude_self = fuzz_below(&in, 2)};
    p.offset = p.exclude_self && p.n > p.m ? fuzz_below(&in, p.n - p.m + 1) : 0;
    bool fits = !p.exclude_self || p.sigmoid || p.offset + p.m <= p.n;
    /* no longer than they are said to be: what is read beyond them is seen */
    p.row_start = malloc((p.m + 1) * sizeof *p.row_start);
    p.column = malloc(entries * sizeof *p.column + 1);
    p.weight = fuzz_below(&in, 2) ? malloc(entries * sizeof *p.weight + 1) : NULL;
    for (size_t i = 0; i <= p.m; i++)
        p.row_start[i] = fuzz_below(&in, entries + 1);
    for (size_t e = 0; e < entries; e++) {
        p.column[e] = (uint32_t)fuzz_take(&in, 1) % 8;
        if (p.column[e] == 7)
            p.column[e] = (uint32_t)fuzz_take(&in, 4);
        uint32_t bits = (uint32_t)fuzz_take(&in, 1);
        float weight = (float)bits / 16;
        if (bits > 250) {
            bits = (uint32_t)fuzz_take(&in, 4);
            memcpy(&weight, &bits, sizeof weight);
        }
        if (p.weight != NULL)
            p.weight[e] = weight;
    }
    for (size_t i = 0; i < MOST_ROWS * DIM; i++) {
        p.x[i] = (float)((int)(fuzz_take(&in, 1)) - 100) / 64;
        p.y[i] = (float)((int)(fuzz_take(&in, 1)) - 100) / 64;
    }

    float first[OUTPUTS], out[OUTPUTS];
    bool there = false;
    for (int isa = 0; isa < 4; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK ||
            mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        memset(out, 0xa5, sizeof out);
        enum mmk_status status = call(&p, out);
        if (fits && (status == MMK_OK) != is_right(&p))
            fuzz_fail("targets that are %s: %s (%s)", is_right(&p) ? "right" : "wrong",
                      mmk_status_string(status), mmk_error_detail());
        if (status != MMK_OK)
            for (size_t i = 0; i < sizeof out; i++)
                if (((unsigned char *)out)[i] != 0xa5)
                    fuzz_fail("refused (%s), but written to", mmk_error_detail());
        if (there && memcmp(first, out, sizeof out) != 0)
            fuzz_fail("%s has other bits than the first", mmk_isa_name((enum mmk_isa)isa));
        memcpy(first, out, sizeof first);
        there = true;
    }
    free(p.row_start);
    free(p.column);
    free(p.weight);
    return 0;
}

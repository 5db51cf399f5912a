/* pass.h - a pass over all logits that sums along rows and columns (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INFONCE_PASS_H
#define MMK_INFONCE_PASS_H

#include "problem.h"

/* What a pass over the logits gives: sums of E with the shared shift, of all rows and columns; of E
 * of each row from its maximum; or of log2(1 + 2^w) of the rows. */
enum pass_kind { PASS_SHIFTED, PASS_OWN_MAXIMUM, PASS_SIGMOID };

struct pass {
    struct operands operands;
    enum pass_kind kind;
    float *row_max;
    double *row_sum;
    float *logit; /* where the positives' are saved; NULL: they are known */
};

void infonce_layout_pass(struct infonce *p, struct scratch *s);

/* A pass over all blocks. Returns what is held in the end. */
struct region infonce_run_pass(const struct infonce *p, const struct pass *pass);

/* The pass of the sigmoid loss: its row_sum. */
void infonce_run_sigmoid(struct infonce *p);

#endif

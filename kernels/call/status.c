/* status.c - status codes in words, and the versions.
 * SPDX-License-Identifier: MIT
 */
#include "../mmk.h"

const char *mmk_status_string(enum mmk_status status)
{
    switch (status) {
    case MMK_OK:
        return "success";
    case MMK_ERR_NULL:
        return "a required pointer is NULL";
    case MMK_ERR_RESERVED:
        return "a reserved field of a struct is not 0";
    case MMK_ERR_TYPE:
        return "an element type that the function does not take";
    case MMK_ERR_SIZE:
        return "a product of sizes overflows, or an index would not fit 32 bits";
    case MMK_ERR_SHAPE:
        return "rows or columns of two arguments do not fit each other";
    case MMK_ERR_LEADING_DIMENSION:
        return "a leading dimension is smaller than the row it must hold";
    case MMK_ERR_CONFLICT:
        return "two arguments exclude each other, or one needs another";
    case MMK_ERR_SIMILARITY:
        return "similarity is not a value of enum mmk_similarity, or not the one that is required";
    case MMK_ERR_LOGIT_SCALE:
        return "logit_scale must be greater than zero and at most 1.7e38";
    case MMK_ERR_WEIGHT:
        return "a weight is negative, NaN or infinite";
    case MMK_ERR_BIAS:
        return "the bias is NaN, infinite or beyond 2^100";
    case MMK_ERR_UPSTREAM:
        return "the upstream factor is NaN or infinite";
    case MMK_ERR_OFFSET:
        return "offset + m exceeds n: some x_i would have no positive";
    case MMK_ERR_ROW_START:
        return "row_start of a CSR matrix goes down from a row to the next";
    case MMK_ERR_INDEX:
        return "a column of a CSR matrix, or an item of a ranking, is not below n, or a target has "
               "weight on a pair that is left out";
    case MMK_ERR_DEPTH:
        return "the rankings are shorter than recall_at, R-Precision or mAP@R need";
    case MMK_ERR_THREADS:
        return "the thread count is negative";
    case MMK_ERR_WORKSPACE:
        return "workspace and workspace_bytes must be given together";
    case MMK_ERR_NO_MEMORY:
        return "memory for the workspace could not be allocated";
    case MMK_ERR_ISA_UNKNOWN:
        return "unknown instruction set (mmk_isa_use or MMK_ISA); "
               "there are scalar, avx2, avx512 and neon";
    case MMK_ERR_ISA_UNUSABLE:
        return "this machine or build cannot run that instruction set (mmk_isa_use or MMK_ISA)";
    case MMK_ERR_GALLERY:
        return "a packed gallery where rows are needed, or one of another instruction set or "
               "similarity";
    case MMK_ERR_ORIGIN:
        return "an element of the origin is NaN, infinite or not below 2^100";
    }
    return "not a value of enum mmk_status";
}

#define TEXT(number)        #number
#define EXPAND(number)      TEXT(number)
#define VERSION_OF(a, b, c) EXPAND(a) "." EXPAND(b) "." EXPAND(c)

const char *mmk_version(void)
{
    return VERSION_OF(MMK_VERSION_MAJOR, MMK_VERSION_MINOR, MMK_VERSION_PATCH);
}

/* 1: InfoNCE, sigmoid, search and similarities of version 0.1.0.
 * 2: neg_sq_l2 subtracts an origin from both rows where it is expanded; sums over the batch of
 * losses and gradients are joined in double; softmaxes down to 2^-126, and inputs of any
 * magnitude.
 * 3: losses have logit_scale in Y, not in X, while logits are made; what a cosine's gradient has
 * along its row, and d loss / d logit_scale, are sums of G and the logits; polynomials of lse.h in
 * pairs.
 * 4: where a loss is done in double, a row with no logit but -Inf has NaN at its positive, too; the
 * alignment's loss is +0, not -0. */
int mmk_numerics_version(void)
{
    return 4;
}

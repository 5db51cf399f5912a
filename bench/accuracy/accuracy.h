/* accuracy.h - errors of losses and gradients against the length of the sums in them, and of logits
 * against the dimension.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_H
#define MMK_BENCH_ACCURACY_H

#include "../machine/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of all points: the short side, the dimension, the logit scale, and the sigmoid loss's bias. */
enum { ACCURACY_SHORT = 256, ACCURACY_DIM = 64 };
#define ACCURACY_SCALE 14.3f
#define ACCURACY_BIAS  (-10.0f)

enum { ACCURACY_LOSSES = 5 };
const char *accuracy_loss(size_t loss); /* "InfoNCE dot" */

enum output { OUT_LOSS, OUT_LSE, OUT_DX, OUT_DY, OUT_DSCALE, OUT_DBIAS, OUTPUTS };
const char *output_name(enum output output); /* "dx" */

/* Whose error, against what: ours against the formula in double, */
enum judged {
    JUDGED_TOTAL,
    JUDGED_EXCESS, /* ours against the formula in double from our own float logits, */
    JUDGED_TORCH,  /* PyTorch's as the first */
    JUDGED_COUNT
};
const char *judged_name(enum judged judged); /* "excess" */

/* One loss at one shape with one kind of rows. Errors are max |error| / max |right| of an output,
 * NaN where there is none of it. */
struct accuracy_point {
    size_t loss; /* below ACCURACY_LOSSES */
    bool x_long; /* else Y is */
    bool equal;  /* the rows of the long side */
    size_t m, n;
    double error[JUDGED_COUNT][OUTPUTS];
};

/* The greatest relative error of logits of rows without negative elements. */
struct logits_point {
    size_t d;
    double chain;   /* ours: one chain over d */
    double blocked; /* chains of LOGITS_BLOCK, each added in float to those before */
    double sgemm;   /* OpenBLAS's; NaN: not there */
};

enum { LOGITS_BLOCK = 384, LOGITS_MOST = 8, LOGITS_ROWS = 64 };

/* How wrong one library is at one kernel and shape; in units of our bound, but the first. */
struct worst_of {
    char name[24];    /* "mmk", "openblas" */
    double of_result; /* normal rows: max |error| / max |right| */
    double of_bound;  /* the worst kind of rows */
    char fill[16];    /* which that is */
    double found;     /* by hill climbing from there */
    size_t steps;     /* of it */
};

enum { WORST_WHO = 8 };
struct worst_point {
    char kernel[48], shape[80];
    char same_on[64]; /* "scalar avx2": of ours, the same bits on all of them */
    size_t who_count; /* ours first */
    struct worst_of who[WORST_WHO];
};

struct accuracy {
    struct machine machine;
    uint64_t seed;
    double seconds;                /* how long it took */
    char torch[96], openblas[224]; /* what they are, or why they are not there */
    size_t count;
    struct accuracy_point *points; /* the shortest first */
    size_t logits_count;
    struct logits_point logits[LOGITS_MOST];
    size_t worst_count;
    struct worst_point *worst;
    char without_peers[128]; /* "faiss, usearch": wanted, but not there */
};

struct accuracy_options {
    size_t most;       /* rows of the long side */
    const char *peers; /* a list of their names, or "none"; NULL: all */
    bool losses_only;  /* and logits, not every kernel */
    bool smoke;
    int threads;
    uint64_t seed;
};

/* Whether a peer of this name is to take part, where it is there. */
bool accuracy_wants(const struct accuracy_options *options, const char *peer);

/* Measures all of it; where there is no memory it ends the program. progress() says where it is. */
void accuracy_measure(struct accuracy *accuracy, const struct accuracy_options *options);
void accuracy_free(struct accuracy *accuracy);

/* max |got - right| / max |right|; 0 where both are 0 throughout, never NaN or Inf. */
double accuracy_error(size_t count, const float *got, const double *right);

#endif

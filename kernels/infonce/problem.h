/* problem.h - one InfoNCE call: its arguments, and the map of its memory (internal).
 * SPDX-License-Identifier: MIT
 *
 * The workspace, in order. Each struct below is laid out by an infonce_layout_... of the file
 * beside its name (strip with packed, kept by infonce_open), each piece on cache lines of its own;
 * alignment.c has a small layout of its own. l is the greater of m and n, q the entries
 * of the targets, t the threads, 84 x 672 a block. Sizes are in floats where nothing else is said,
 * and the most: packed rows, for one, are no more than there are. Readers and writers are files of
 * this folder.
 *
 *   piece                  size                        written by       read by
 * +-- packed -------------- strip.c -------------------------------------------------------------+
 * | x_scale, y_scale       m, n row scales (cosine)    infonce_open     strip, products, finish  |
 * | origin                 d (neg_sq_l2)               infonce_open     strip, products, finish  |
 * | spare                  t x 2 d (neg_sq_l2)         strip            strip                    |
 * | a, b                   HELD_ROWS, HELD_COLS of d   strip            strip; a: products       |
 * | xx, yy                 HELD_ROWS, HELD_COLS        strip            strip                    |
 * +-- strip --------------- strip.c -------------------------------------------------------------+
 * | z                      t x STRIP_FLOATS            strip            strip, gradient          |
 * | lane                   t x 3 LANE_FLOATS           pass, gradient,  strip                    |
 * |                                                    forward, strip                            |
 * +-- targets ------------- targets.c -----------------------------------------------------------+
 * | x, y: start            m + 1, n + 1 size_t         infonce_open     all                      |
 * |       index, entry     q, q u32                    infonce_open     all                      |
 * |       total            m, n double                 infonce_open     forward, finish          |
 * | weight                 q double                    infonce_open     forward, finish          |
 * | logit                  q                           strip            forward, gradient,       |
 * |                                                                     finish, backward, sigmoid|
 * | e                      q                           forward          forward                  |
 * | coef                   q                           finish; gradient gradient, finish,        |
 * |                                                                     sigmoid, backward        |
 * | place_start            blocks of l, + 1 size_t     before a pass    strip, gradient          |
 * | place                  q (+ m)                     before a pass    strip, gradient          |
 * | row_of                 l u32                       before a pass    targets                  |
 * +-- forward ------------- forward.c --------- where a forward runs ----------------------------+
 * | row_base, col_base     m, n                        forward          forward, weights         |
 * | row_sum, col_sum       m, n double                 pass, forward    forward, weights, finish,|
 * |                                                                     sigmoid                  |
 * | pick                   l u32                       forward          strip                    |
 * | pick_max, pick_sum     l, l double                 pass             forward                  |
 * +-- pass ---------------- pass.c ------------ where a forward runs ----------------------------+
 * | part_max, part_row     HELD_COL_BLOCKS x HELD_ROWS (part_row in double)  pass  pass         |
 * | part_col               HELD_ROW_BLOCKS x HELD_COLS pass, strip      pass                     |
 * | block                  t x block of logits         strip            pass                     |
 * +-- softmax ------------- weights.c --------- where a backward runs ---------------------------+
 * | lse2_x, lse2_y         m, n double                 forward; weights weights, finish          |
 * | lse_x, lse_x_low       m, m                        weights          gradient                 |
 * | lse_y, lse_y_low       n, n                        weights          gradient                 |
 * | row_weight, col_weight m, n                        weights          gradient                 |
 * | row_factor, col_factor m, n double                 weights          finish                   |
 * +-- gradient ------------ gradient.c -------- where a backward runs ---------------------------+
 * | row_e, row_g           m, m double                 gradient         finish, sigmoid          |
 * | col_e, col_g           n, n double                 products         finish, sigmoid          |
 * | part_e, part_g, part_gz GRADIENT_ROW_BLOCKS x 672  gradient         products                 |
 * | row_gz, col_gz         m, n double                 gradient; products finish, backward       |
 * +-- products ------------ products.c -------- where a backward runs ---------------------------+
 * | columns_y              672 of d                    products         products                 |
 * | tiles                  t x 84 of d                 products, finish products, finish         |
 * | sums_x                 GRADIENT_ROWS of d double   products         products                 |
 * | sums_y                 t x 84 of d double; n of d where m > GRADIENT_ROWS      (as sums_x)   |
 * | g                      GRADIENT_ROWS x 672         gradient         products                 |
 * +-- sigmoid ------------- sigmoid.c --------- for a sigmoid loss ------------------------------+
 * | row_term, col_term     m, n                        sigmoid          pass, gradient           |
 * | var_x, var_y           m, n double                 sigmoid          sigmoid                  |
 * +-- kept ---------------- kept.c ------------ where both run ----------------------------------+
 * | column                 n / 672 kept_column         infonce_open     strip, gradient          |
 * | e                      all blocks, at most: what   strip            gradient                 |
 * |                        a workspace has to spare                                              |
 * +----------------------------------------------------------------------------------------------+
 *
 * A query of workspace bytes: `least` is all but e, `all` has e for all blocks.
 */
#ifndef MMK_INFONCE_PROBLEM_H
#define MMK_INFONCE_PROBLEM_H

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../call/scratch.h"
#include "../isa/isa.h"
#include "blocks.h"
#include "infonce.h"
#include "targets.h"

/* What is done for each row in double is done for so many at once. */
enum { ROWS_AT_ONCE = 64 };

/* Rows of X and Y that are packed at the moment, whichever are rows and columns. */
struct packed_state {
    struct row_scale *x_scale, *y_scale; /* cosine */
    struct region held;                  /* which rows they are */
    float *a;                            /* column panels: as A of the logits, and as B of dY */
    float *b;
    float *xx, *yy; /* neg_sq_l2: their squared norms, */
    float *origin;  /* Y's own (tile.h), */
    float *spare;   /* and rows whose norms are out of range */
};

/* What a worker has of its own. */
struct strip_state {
    float *z;    /* logits */
    float *lane; /* three sums of each row of a block */
};

/* The sum of row i's negatives is row_sum_i 2^row_base_i, columns alike. */
struct forward_state {
    float *row_base, *col_base;
    double *row_sum, *col_sum;
    /* rows or columns out of the shift's reach are done again, each from its own maximum */
    uint32_t *pick;
    float *pick_max;
    double *pick_sum;
    bool overflow; /* some of E may be +Inf */
};

/* The sums of the blocks held, and of a worker's block its logits where it needs them at once. */
struct pass_state {
    float *part_max, *part_col;
    double *part_row;
    float *block;
};

/* P = 2^(z - lse_x) and Q = 2^(z - lse_y). */
struct softmax_state {
    double *lse2_x, *lse2_y;  /* log-sum-exps in base 2; from the forward where it ran */
    float *lse_x, *lse_x_low; /* the same as sums of two floats */
    float *lse_y, *lse_y_low;
    float *row_weight, *col_weight;  /* of the exponentials in G, times 2^weight_bits */
    double weight_x, weight_y;       /* of the directions, a row, times as much */
    double *row_factor, *col_factor; /* of the gradient's sums of E, to make sums of P and Q */
    bool two_exps;                   /* P and Q need an exponential each, */
    int raise;                       /* and are made 2^raise times as great */
};

/* G, times 2^weight_bits, and what is summed while it is made. */
struct gradient_state {
    int weight_bits;
    double scale; /* of sums of products with G, to be a gradient */
    bool late;    /* sums of P and Q are not known before the end */
    /* The positives' G goes into the products, with the negatives'. Else it is added last, which is
     * more accurate and costs a read of a row for each: with one a row little, with many too
     * much. */
    bool positives_in_g;
    bool sums_g;           /* sums of G are needed, */
    bool sums_gz;          /* or of G z */
    double *row_e, *row_g; /* sums over the negatives */
    double *col_e, *col_g;
    double *row_gz, *col_gz;
    float *part_e, *part_g, *part_gz; /* of the column sums, a block of rows each */
};

/* The operands and results of the two products with G. */
struct products_state {
    float *columns_y;        /* column panels */
    float *tiles;            /* gradients of a worker's task, in register tiles */
    double *sums_x, *sums_y; /* of the blocks so far, likewise */
    float *g;                /* in stripes */
};

/* w_ij = z_ij + row_term_i + col_term_j; row_sum and row_e sum 2^24 log2(1 + 2^w). */
struct sigmoid_state {
    bool on;
    double bias;
    float *row_term, *col_term;
    float g_scale;         /* 1/m times 2^weight_bits */
    double *var_x, *var_y; /* sums of the variances, where embeddings have them */
};

/* Blocks that wait one after the other in memory that has another use later (kept.c). */
struct kept_stretch {
    float *at;
    size_t blocks, stride;
};

/* Those of a column of blocks that the workspace has no room of their own for, in their order. */
enum { KEPT_STRETCHES = 4 };
struct kept_column {
    struct kept_stretch in[KEPT_STRETCHES];
};

/* E from forward to backward; or z, where sums of G z are needed: a second exponential costs less
 * than a second pass over the rows of gradients. In the workspace of the first row_blocks rows of
 * blocks, behind these as `column` says (NULL: none). */
struct kept_state {
    float *e;
    size_t row_blocks;
    struct kept_column *column;
    bool logits;
};

/* What is asked of the logits, one to one with mmk.h's fields. */
struct infonce_config {
    enum mmk_similarity similarity;
    float logit_scale;
    float weight_x, weight_y;
    size_t offset;
    double upstream;
    const float *origin; /* of the options; NULL: Y's own */
};

/* Where gradients go; data NULL: not wanted. The rows of dY are followed by those of dnegatives. */
struct gradients {
    struct args_out x, y, negatives;
};

/* What is wanted, and so which of the products with G are needed. */
struct infonce_wanted {
    bool dlogit_scale;
    bool rows, columns; /* G Y, G^T X */
};

struct infonce {
    const struct isa_row *isa;
    struct infonce_config config;
    size_t m, n, d; /* n with the further negatives, */
    size_t own;     /* and the rows of Y alone */
    struct tile_operand x, y;
    int threads;
    float alpha; /* logit_scale log2(e): logits in base 2 are alpha times the similarity */
    bool wide;   /* the call is done in double (wide.c) */
    float shift; /* E = 2^(z - shift) */
    struct infonce_wanted wanted;
    struct infonce_targets targets;
    struct packed_state packed;
    struct strip_state strip;
    struct forward_state forward;
    struct pass_state pass;
    struct softmax_state softmax;
    struct gradient_state gradient;
    struct products_state products;
    struct sigmoid_state sigmoid;
    struct kept_state kept;
};

/* Whether some row or column has several positives. */
static inline bool infonce_several_positives(const struct infonce *p)
{
    size_t entries = p->targets.y.start[p->n];
    return !p->targets.none && (entries > p->targets.x.counted || entries > p->targets.y.counted);
}

/* Whether sums of G z are needed: for d logit_scale, and for what cosine's gradients have along
 * their own rows. */
static inline bool infonce_sums_gz(const struct infonce *p)
{
    bool along = p->config.similarity == MMK_COSINE && (p->wanted.rows || p->wanted.columns);
    return p->wanted.dlogit_scale || along;
}

/* One side of the logits as their rows, the other as their columns. */
struct operands {
    const struct tile_operand *a, *b;
    const struct infonce_side *side_a, *side_b;
    ptrdiff_t shift; /* row r of a's data stands for the same as row r + shift of b's */
};

/* Y with alpha in it, but for neg_sq_l2. */
static inline struct tile_operand infonce_scaled_columns(const struct infonce *p)
{
    struct tile_operand y = p->y;
    y.factor = p->config.similarity != MMK_NEG_SQ_L2 ? p->alpha : 1.0f;
    return y;
}

/* The rows and the similarity that every loss has, and the options. */
enum mmk_status infonce_take_rows(struct infonce *p, const struct mmk_matrix *x,
                                  const struct mmk_matrix *y, const struct mmk_matrix *negatives,
                                  enum mmk_similarity similarity,
                                  const struct mmk_options *options);
enum mmk_status infonce_take_scale(struct infonce *p, float logit_scale, const float *upstream);
/* Of a direction, or of a target: finite and not negative. */
bool infonce_weight_valid(float v);
/* Targets by weights, or one to one where they are NULL. `name` is theirs. */
enum mmk_status infonce_take_targets(struct infonce *p, const char *name,
                                     const struct mmk_csr *weights, size_t offset,
                                     bool exclude_self);

/* MMK_ERR_CONFLICT where the problem has what goes with InfoNCE alone (infonce.c). */
enum mmk_status infonce_refuse_targets(const char *function,
                                       const struct mmk_infonce_problem *problem);

/* An output of the shape of x, or of y; NULL: not wanted. */
enum mmk_status infonce_take_gradient(const char *name, const struct mmk_matrix_out *matrix,
                                      size_t rows, size_t d, const char *of,
                                      const struct mmk_options *options, struct args_out *out);
/* Sets wanted from where gradients go. */
void infonce_want(struct infonce *p, const struct gradients *out, bool dlogit_scale);

enum infonce_parts { INFONCE_FORWARD = 1, INFONCE_BACKWARD = 2 };

/* Opens the call's memory; what the workspace has to spare, and the gradients while nothing is
 * written there, keep logits or exponentials from forward to backward. */
enum mmk_status infonce_open(struct infonce *p, struct scratch *s, enum infonce_parts parts,
                             const struct gradients *out, const struct mmk_options *options);
/* Answers a query in place of that. */
enum mmk_status infonce_answer(struct infonce *p, enum infonce_parts parts,
                               const struct mmk_options *options);

/* Gradients of 0, for a call without rows or columns. */
void infonce_clear_gradients(const struct infonce *p, const struct gradients *out);
void infonce_clear_rows(size_t rows, size_t d, const struct args_out *out);

#endif

/* mmk.h - multimodal kernels: similarity, InfoNCE and top-k, the same bits on every instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Conventions that hold for every function here
 *   matrices    row-major float; ldx is the leading dimension in elements (distance from a row to
 *               the next, >= d). X is m x d with rows x_i, Y is n x d with rows y_j.
 *   sizes       size_t; a product of sizes that leaves the address space is MMK_ERR_SIZE. Zero rows
 *               are legal and do nothing. d = 0 is legal: every dot product is 0.
 *   alignment   any alignment of a float is fine. Inputs are never written. Outputs must not overlap
 *               inputs or each other unless a function says so.
 *   errors      enum mmk_status is returned; on an error nothing is written to any output.
 *   NaN         a NaN result is always the quiet NaN 0x7fc00000, whatever NaN came in. Inf follows
 *               IEEE 754 through the formula as it is written.
 *   bits        for f32 the result is bit-identical on scalar, avx2, avx512 and neon, and for every
 *               thread count.
 *   threads     options->threads; the functions that take no options run on the calling thread.
 *               Every function is reentrant; mmk_isa_use() is the only global state.
 */
#ifndef MMK_H
#define MMK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMK_VERSION_MAJOR 0
#define MMK_VERSION_MINOR 1
#define MMK_VERSION_PATCH 0

#if defined(__GNUC__)
#define MMK_API __attribute__((visibility("default")))
#else
#define MMK_API
#endif

/* ---- Status ------------------------------------------------------------------------------- */

enum mmk_status {
    MMK_OK = 0,
    MMK_ERR_NULL, /* a required pointer is NULL */
    MMK_ERR_SIZE, /* a product of sizes overflows, or an index would not fit uint32_t */
    MMK_ERR_LEADING_DIMENSION, /* a leading dimension is smaller than the row it must hold */
    MMK_ERR_SIMILARITY,        /* not a value of enum mmk_similarity */
    MMK_ERR_LOGIT_SCALE,       /* logit_scale is zero, negative, NaN or above 1.7e38 */
    MMK_ERR_WEIGHT,            /* a weight is negative, NaN or infinite */
    MMK_ERR_BIAS,              /* bias is NaN, infinite or beyond 2^100 */
    MMK_ERR_OFFSET,            /* offset + m exceeds n: some x_i would have no positive */
    MMK_ERR_ROW_START,         /* row_start of a CSR matrix goes down from a row to the next */
    MMK_ERR_INDEX,        /* a column of a CSR matrix, or an item of a ranking, is not below n; or a
                           * target has weight on a pair that is left out */
    MMK_ERR_DEPTH,        /* rankings are shorter than recall_at, R-Precision or mAP@R need */
    MMK_ERR_THREADS,      /* thread count is negative */
    MMK_ERR_WORKSPACE,    /* a workspace pointer without bytes, or bytes without a pointer */
    MMK_ERR_NO_MEMORY,    /* the function's own allocation failed */
    MMK_ERR_ISA_UNKNOWN,  /* the name (or MMK_ISA in the environment) is no instruction set */
    MMK_ERR_ISA_UNUSABLE, /* a known instruction set that this machine or build cannot run */
    MMK_ERR_GALLERY /* the gallery was packed for another instruction set than the one in use */
};

/* One sentence for a status; never NULL. */
MMK_API const char *mmk_status_string(enum mmk_status status);

/* "0.1.0": the version of the library that is linked. */
MMK_API const char *mmk_version(void);

/* ---- Instruction set ---------------------------------------------------------------------- */

/* The widest instruction set that the machine can run is used, unless MMK_ISA in the environment or
 * mmk_isa_use() names one ("scalar", "avx2", "avx512", "neon"). A name that is unknown or not usable
 * here is an error, never another instruction set: with a bad MMK_ISA every function that computes
 * returns MMK_ERR_ISA_UNKNOWN or MMK_ERR_ISA_UNUSABLE until mmk_isa_use() names a usable one. MMK_ISA
 * is read at the first use; an empty one counts as unset. */
enum mmk_isa { MMK_ISA_SCALAR = 0, MMK_ISA_AVX2, MMK_ISA_AVX512, MMK_ISA_NEON };
#define MMK_ISA_COUNT 4

/* Name of an instruction set ("avx512"); NULL for a value that is none. */
MMK_API const char *mmk_isa_name(enum mmk_isa isa);

/* MMK_OK when this machine and this build can run isa; else one of the two MMK_ERR_ISA_ values. */
MMK_API enum mmk_status mmk_isa_usable(enum mmk_isa isa);

/* Uses exactly this instruction set from now on, in all threads; NULL goes back to the default
 * choice (MMK_ISA, else the widest usable). On an error the one in use stays. */
MMK_API enum mmk_status mmk_isa_use(const char *name);

/* Which one the next call will run. */
MMK_API enum mmk_status mmk_isa_in_use(enum mmk_isa *isa);

/* ---- Options ------------------------------------------------------------------------------ */

/* NULL options are the same as all zero. */
struct mmk_options {
    int threads;     /* 0: what OpenMP says (OMP_NUM_THREADS); 1: the calling thread only */
    void *workspace; /* memory the function may use, any alignment; NULL: it allocates */
    size_t
        workspace_bytes; /* its size; where it is too small the function allocates as without one.
                             * mmk_infonce_workspace_bytes tells what InfoNCE takes */
};

/* ---- Sparse matrices ------------------------------------------------------------------------ */

/* An m x n matrix compressed by rows: which y_j belong to x_i, and how much. Row i has the entries
 * e = row_start[i] .. row_start[i+1] - 1, entry e stands in column[e] and weighs weight[e]. Columns
 * of a row may come in any order and more than once, when their weights add up; a row may be empty.
 *   row_start   m + 1, never going down. The first need not be 0: row_start + i is the matrix from
 *               row i on, with the same column and weight
 *   column      below n
 *   weight      finite, not negative; NULL: all 1 */
struct mmk_csr {
    const size_t *row_start;
    const uint32_t *column;
    const float *weight;
};

/* ---- Similarity ---------------------------------------------------------------------------- */

/*   MMK_DOT        x.y = sum_k x_k y_k
 *   MMK_COSINE     x.y / (|x| |y|); a zero row has cosine 0 with everything. Rows of any finite
 *                  magnitude are safe (1e-20, 1e20: the norm neither under- nor overflows). A row
 *                  with NaN or Inf has cosine NaN with everything. Rounding may leave a result an ulp
 *                  or two outside [-1, 1].
 *   MMK_NEG_SQ_L2  -|x - y|^2; exactly 0 for x = y, never positive. Pair and query take the
 *                  differences; matrix expands it as 2 x.y - |x|^2 - |y|^2, whose rounding error
 *                  grows with |x|^2 + |y|^2, clamped at 0.
 * Source: Radford et al. 2021 (CLIP); Cai et al. 2025 use neg_sq_l2 with temperature 1. */
enum mmk_similarity { MMK_DOT = 0, MMK_COSINE, MMK_NEG_SQ_L2 };
#define MMK_SIMILARITY_COUNT 3

/* result = sim(x, y) for two vectors of d floats. */
MMK_API enum mmk_status mmk_similarity_pair(enum mmk_similarity similarity, size_t d,
                                            const float *x, const float *y, float *result);

/* result[j] = sim(x, y_j) for j = 0..n-1: one query against n rows. Each result has the bits that
 * mmk_similarity_pair gives for the same two rows.
 *   squared_norms  n floats that mmk_squared_norms gave for the same rows y_j: saves cosine half of its
 *                  arithmetic and changes no bit of the result. NULL: taken on the way. Dot and
 *                  neg_sq_l2 do not look at it. */
MMK_API enum mmk_status mmk_similarity_query(enum mmk_similarity similarity, size_t n, size_t d,
                                             const float *x, const float *y, size_t ldy,
                                             const float *squared_norms, float *result);

/* out[j] = |y_j|^2 for the n rows of Y, summed as mmk_similarity_query sums it. Squares under- and
 * overflow as they do in float (0, Inf); the query knows such rows by it and scales them. */
MMK_API enum mmk_status mmk_squared_norms(size_t n, size_t d, const float *y, size_t ldy,
                                          float *out);

/* result[i * ldresult + j] = sim(x_i, y_j): the m x n similarity matrix; ldresult >= n. Every element
 * is one chain of fused multiply-adds over k = 0..d-1 (of the normalised rows for cosine). X and Y may
 * be the same matrix. */
MMK_API enum mmk_status mmk_similarity_matrix(enum mmk_similarity similarity, size_t m, size_t n,
                                              size_t d, const float *x, size_t ldx, const float *y,
                                              size_t ldy, float *result, size_t ldresult,
                                              const struct mmk_options *options);

/* out_i = x_i / |x_i|; a zero row stays zero, a row with NaN or Inf becomes all NaN. out == x with
 * ldout == ldx is allowed. */
MMK_API enum mmk_status mmk_normalize_rows(size_t m, size_t d, const float *x, size_t ldx,
                                           float *out, size_t ldout);

/* ---- Packed gallery -------------------------------------------------------------------------- */

/* n gallery rows of d floats, normalised for cosine and laid out for the register tile of the
 * instruction set in use: mmk_similarity_matrix and mmk_search do this in every call, for those who
 * search the same rows again and again it can be done once. It is a copy, 4 n d bytes and a little;
 * y is not needed any more. It can be used by several threads at once, with the instruction set that
 * it was packed for only: MMK_ERR_GALLERY after mmk_isa_use() has changed it.
 *   gallery   out; to be freed with mmk_gallery_free (NULL is allowed there) */
struct mmk_gallery;

MMK_API enum mmk_status mmk_gallery_pack(enum mmk_similarity similarity, size_t n, size_t d,
                                         const float *y, size_t ldy,
                                         const struct mmk_options *options,
                                         struct mmk_gallery **gallery);
MMK_API void mmk_gallery_free(struct mmk_gallery *gallery);

/* mmk_similarity_matrix against a packed gallery: the same bits. */
MMK_API enum mmk_status mmk_gallery_matrix(const struct mmk_gallery *gallery, size_t m,
                                           const float *x, size_t ldx, float *result,
                                           size_t ldresult, const struct mmk_options *options);

/* ---- InfoNCE ------------------------------------------------------------------------------- */

/* With s = logit_scale = 1 / temperature and L_ij = s sim(x_i, y_j), the positive of x_i is
 * y_{i+offset} (offset: where a shard's rows stand in a global batch; offset + m <= n):
 *     loss_x = mean_i ( log sum_j e^{L_ij} - L_{i,i+offset} )                      x -> y
 *     loss_y = mean_j ( log sum_i e^{L_ij} - L_{j-offset,j} )                      y -> x, over the
 *                                                                m columns that have a positive
 *     loss   = weight_x loss_x + weight_y loss_y
 * CLIP: weights 1/2 and 1/2. MoCo, SimCSE: 1 and 0.
 * The positive's own term is kept out of the sums and joined last, so a loss or gradient near 0
 * keeps its relative accuracy; the loss is never negative, and exactly 0 for m = n = 1.
 * NaN or +Inf among the logits of a row (column) makes its lse, and the loss, NaN.
 * Sources: van den Oord et al. 2018; Radford et al. 2021; Cheng et al. 2024 (tiles). */
struct mmk_infonce_config {
    enum mmk_similarity similarity;
    float logit_scale;        /* s > 0, at most 1.7e38 */
    float weight_x, weight_y; /* >= 0, finite */
    size_t offset;
};

/* Loss and both log-sum-exp vectors.
 *   loss    1 float
 *   lse_x   m floats, lse_x[i] = log sum_j e^{L_ij}
 *   lse_y   n floats, lse_y[j] = log sum_i e^{L_ij}, for all n columns
 * The m x n logits are never stored: memory is O(m + n) and packed copies of at most some 5,600 rows of
 * d floats. Logits of any size are right. Rows and columns whose sum over the negatives lies more than
 * some 60 nats from that of most rows are done a second time, which makes the call up to three times as
 * long where it is all of them. m = 0 gives loss 0 and lse_y of -Inf. */
MMK_API enum mmk_status mmk_infonce_forward(const struct mmk_infonce_config *config, size_t m,
                                            size_t n, size_t d, const float *x, size_t ldx,
                                            const float *y, size_t ldy, float *loss, float *lse_x,
                                            float *lse_y, const struct mmk_options *options);

/* Gradients of the loss, from the lse vectors of a forward call with the same arguments. With P the
 * softmax of a row and Q of a column,
 *     G_ij = weight_x/m (P_ij - [j = i+offset]) + weight_y/m (Q_ij - [j = i+offset])
 * (the weight_y part only for columns that have a positive),
 *     dX = d loss / dX,  dY = d loss / dY   with respect to the rows as they were passed,
 *     dlogit_scale = sum_ij G_ij sim_ij.
 *   dx m x d (lddx), dy n x d (lddy), dlogit_scale 1 float. A zero row has gradient 0 (cosine).
 * A NaN lse makes its row (column) of P (Q), and all that is summed from it, NaN, whatever the weights.
 * The logits are computed again (8 m n d flops with the forward); memory is O(m + n), 7 MB of G and
 * copies of at most some 12,300 rows of d floats. lse as float carries an error of up to |lse| 2^-24
 * into the exponents of P and Q; mmk_infonce_forward_backward keeps it in double. P and Q are made from
 * one exponential where all lse lie within 160 binary digits (110 nats), else from two. */
MMK_API enum mmk_status mmk_infonce_backward(const struct mmk_infonce_config *config, size_t m,
                                             size_t n, size_t d, const float *x, size_t ldx,
                                             const float *y, size_t ldy, const float *lse_x,
                                             const float *lse_y, float *dx, size_t lddx, float *dy,
                                             size_t lddy, float *dlogit_scale,
                                             const struct mmk_options *options);

/* Both in one call. The exponentials of as many rows of logits as fit into options->workspace are kept
 * from the forward for the backward (6 m n d flops in place of 8 where all fit); the bits do not depend
 * on how many do. They are of no use, and the logits made again, where a lse is so far from most that P
 * and Q need an exponential each. */
MMK_API enum mmk_status
mmk_infonce_forward_backward(const struct mmk_infonce_config *config, size_t m, size_t n, size_t d,
                             const float *x, size_t ldx, const float *y, size_t ldy, float *loss,
                             float *lse_x, float *lse_y, float *dx, size_t lddx, float *dy,
                             size_t lddy, float *dlogit_scale, const struct mmk_options *options);

/* Workspace sizes for an m x n x d InfoNCE with a thread count (0: what OpenMP says).
 *   streamed  with at least this much, no function of this section allocates memory
 *   stored    with this much, forward_backward keeps the exponentials of all logits, 4 bytes each
 * Anything in between keeps as many rows (in blocks of 84) as fit. Any of the two pointers may be NULL. */
MMK_API enum mmk_status mmk_infonce_workspace_bytes(size_t m, size_t n, size_t d, int threads,
                                                    size_t *streamed, size_t *stored);

/* ---- Multi-positive InfoNCE ------------------------------------------------------------------ */

/* InfoNCE where several y_j may belong to one x_i and several x_i to one y_j. T is an m x n matrix of
 * weights, and with L_ij, s, weight_x and weight_y as above
 *     t_ij   = T_ij / sum_j T_ij,    u_ij = T_ij / sum_i T_ij
 *     loss_x = mean over the rows i with sum_j T_ij > 0 of   sum_j t_ij ( log sum_k e^{L_ik} - L_ij )
 *     loss_y = mean over the columns j with sum_i T_ij > 0 of  sum_i u_ij ( log sum_k e^{L_kj} - L_ij )
 *     loss   = weight_x loss_x + weight_y loss_y
 * Rows and columns without weight add nothing and are not counted; a loss without any is 0. The least
 * value of loss_x is the mean entropy of the t_i. m may be above n. With one weight above 0 in each row
 * of T, in column i + offset, all results have the bits of the InfoNCE functions above.
 * Sources: Khosla et al. 2020 (SupCon); Yang et al. 2022 (UniCL); Li et al. 2021 (ALBEF: targets 1/|P|).
 *   weights        T, m x n
 *   exclude_self   not 0: x_i and y_{i+offset} are the same example, and their logit is left out of
 *                  every sum; T must not have a weight there (MMK_ERR_INDEX), and offset + m <= n. 0:
 *                  config->offset is not looked at.
 * NT-Xent (SimCLR): X = Y = both views of a batch, 2B rows, exclude_self, weights 1 and 0, one positive
 * a row: the other view. The gradient of a row is its row of dX plus that of dY. */
struct mmk_targets {
    struct mmk_csr weights;
    int exclude_self;
};

/* mmk_infonce_forward with targets; and where the pointers are not NULL, how many rows and columns have
 * weight. lse is that of all logits of a row (column) but those left out, with weight or without.
 * Time and memory are those of mmk_infonce_forward and linear in the entries of T. T has fewer than
 * 2^32 - 1 entries. */
MMK_API enum mmk_status mmk_multi_infonce_forward(
    const struct mmk_infonce_config *config, const struct mmk_targets *targets, size_t m, size_t n,
    size_t d, const float *x, size_t ldx, const float *y, size_t ldy, float *loss, float *lse_x,
    float *lse_y, size_t *counted_x, size_t *counted_y, const struct mmk_options *options);

/* mmk_infonce_backward with targets: with m_x and m_y the rows and columns counted,
 *     G_ij = weight_x/m_x (P_ij - t_ij) + weight_y/m_y (Q_ij - u_ij)
 * where each part is left out in rows (columns) without weight. */
MMK_API enum mmk_status mmk_multi_infonce_backward(const struct mmk_infonce_config *config,
                                                   const struct mmk_targets *targets, size_t m,
                                                   size_t n, size_t d, const float *x, size_t ldx,
                                                   const float *y, size_t ldy, const float *lse_x,
                                                   const float *lse_y, float *dx, size_t lddx,
                                                   float *dy, size_t lddy, float *dlogit_scale,
                                                   const struct mmk_options *options);

/* Both in one call, as mmk_infonce_forward_backward. */
MMK_API enum mmk_status mmk_multi_infonce_forward_backward(
    const struct mmk_infonce_config *config, const struct mmk_targets *targets, size_t m, size_t n,
    size_t d, const float *x, size_t ldx, const float *y, size_t ldy, float *loss, float *lse_x,
    float *lse_y, size_t *counted_x, size_t *counted_y, float *dx, size_t lddx, float *dy,
    size_t lddy, float *dlogit_scale, const struct mmk_options *options);

/* mmk_infonce_workspace_bytes for targets with so many entries. */
MMK_API enum mmk_status mmk_multi_infonce_workspace_bytes(size_t m, size_t n, size_t d,
                                                          size_t entries, int threads,
                                                          size_t *streamed, size_t *stored);

/* ---- Alignment and uniformity ---------------------------------------------------------------- */

/* InfoNCE in two parts, which need not be about the same pairs:
 *     uniformity = weight_x mean_i log mean_j e^{L_ij} + weight_y mean_j log mean_i e^{L_ij}
 *     alignment  = mean_i -L_ii
 * with L_ij = s sim(x_i, y_j). A loss that pulls pairs (x_i, y_i) together and pushes each modality's
 * samples apart, from a second batch x' of it, is alignment(x, y) + uniformity(x, x') with the weights 1
 * and 0: mean_i ( |x_i - y_i|^2 + log mean_j e^{-|x_i - x'_j|^2} ) for neg_sq_l2 and s = 1. config->offset
 * is not looked at. Sources: Wang and Isola 2020; Cai et al. 2025.
 *   lse_x, lse_y   as from mmk_infonce_forward: log of the sums, not of the means
 * Time, memory and workspace are those of mmk_infonce_forward and mmk_infonce_forward_backward. */
MMK_API enum mmk_status mmk_uniformity_forward(const struct mmk_infonce_config *config, size_t m,
                                               size_t n, size_t d, const float *x, size_t ldx,
                                               const float *y, size_t ldy, float *loss,
                                               float *lse_x, float *lse_y,
                                               const struct mmk_options *options);
MMK_API enum mmk_status mmk_uniformity_forward_backward(
    const struct mmk_infonce_config *config, size_t m, size_t n, size_t d, const float *x,
    size_t ldx, const float *y, size_t ldy, float *loss, float *lse_x, float *lse_y, float *dx,
    size_t lddx, float *dy, size_t lddy, float *dlogit_scale, const struct mmk_options *options);

/* The alignment of m pairs and its gradients, O(m d). config->weight_x and weight_y are not looked at. */
MMK_API enum mmk_status mmk_alignment_forward_backward(const struct mmk_infonce_config *config,
                                                       size_t m, size_t d, const float *x,
                                                       size_t ldx, const float *y, size_t ldy,
                                                       float *loss, float *dx, size_t lddx,
                                                       float *dy, size_t lddy, float *dlogit_scale,
                                                       const struct mmk_options *options);

/* ---- Sigmoid loss --------------------------------------------------------------------------- */

/* With L_ij = s sim(x_i, y_j) + bias, and z_ij = 1 where y_j belongs to x_i, else -1:
 *     loss = 1/m sum_ij log(1 + e^{-z_ij L_ij})
 * s = logit_scale. Each pair stands alone; nothing is summed along a row before its logarithm is taken.
 * Relative accuracy is kept however small the terms. NaN among the logits makes the loss NaN.
 * Source: Zhai et al. 2023 (SigLIP: bias -10 and s = 10 at the start).
 *   positives   m x n; the pairs with a weight above 0 belong together, how great it is does not
 *               matter. NULL: y_{i+offset} belongs to x_i, offset + m <= n */
struct mmk_sigmoid_config {
    enum mmk_similarity similarity;
    float logit_scale; /* s > 0, at most 1.7e38 */
    float bias;        /* at most 2^100 either way */
    size_t offset;     /* looked at only where positives is NULL */
};

/* The loss, 1 float. Memory O(m + n + entries) and packed copies, as mmk_infonce_forward. */
MMK_API enum mmk_status mmk_sigmoid_forward(const struct mmk_sigmoid_config *config,
                                            const struct mmk_csr *positives, size_t m, size_t n,
                                            size_t d, const float *x, size_t ldx, const float *y,
                                            size_t ldy, float *loss,
                                            const struct mmk_options *options);

/* The loss and its gradients, 6 m n d flops: the logits are made once and not kept, so there is no
 * backward of its own to save anything.
 *   dx m x d (lddx), dy n x d (lddy), dlogit_scale 1 float, dbias 1 float */
MMK_API enum mmk_status mmk_sigmoid_forward_backward(const struct mmk_sigmoid_config *config,
                                                     const struct mmk_csr *positives, size_t m,
                                                     size_t n, size_t d, const float *x, size_t ldx,
                                                     const float *y, size_t ldy, float *loss,
                                                     float *dx, size_t lddx, float *dy, size_t lddy,
                                                     float *dlogit_scale, float *dbias,
                                                     const struct mmk_options *options);

/* ---- Closed-form sampled distance ------------------------------------------------------------ */

/* The sigmoid loss of Gaussian embeddings with means mu, nu and log-variances p, q (per dimension):
 *     CSD_ij = |mu_i - nu_j|^2 + sum_k (e^{p_ik} + e^{q_jk})
 *     L_ij   = -a CSD_ij + bias
 * with a = config->logit_scale; the similarity is not looked at. Source: Chun 2024 (PCME++).
 *   mu, log_var_x   m x d (ldx both);  nu, log_var_y   n x d (ldy both)
 *   dmu, dlog_var_x m x d (lddx both); dnu, dlog_var_y n x d (lddy both): gradients
 *   dlogit_scale    d loss / d a; dbias d loss / d bias
 * Time and memory are those of mmk_sigmoid_forward_backward. */
MMK_API enum mmk_status mmk_csd_sigmoid_forward_backward(
    const struct mmk_sigmoid_config *config, const struct mmk_csr *positives, size_t m, size_t n,
    size_t d, const float *mu, const float *log_var_x, size_t ldx, const float *nu,
    const float *log_var_y, size_t ldy, float *loss, float *dmu, float *dlog_var_x, size_t lddx,
    float *dnu, float *dlog_var_y, size_t lddy, float *dlogit_scale, float *dbias,
    const struct mmk_options *options);

/* ---- Exponential ---------------------------------------------------------------------------- */

/* y[i] = e^{x[i]} for n floats, at most 0.8914 units in the last place off for every float. 0 where e^x
 * is below 2^-126 (no denormal results), +Inf where it is above the greatest float; exactly 1 at +0 and
 * -0. y == x is allowed. */
MMK_API enum mmk_status mmk_exp(size_t n, const float *x, float *y);

/* result = log sum_i e^{x[i]} over n floats, as max + log sum_i e^{x[i] - max}: it neither under- nor
 * overflows. Terms below 2^-126 of the greatest count as 0. -Inf for n = 0 and where every x[i] is -Inf,
 * +Inf where one is +Inf; a NaN makes it NaN. n = 1 returns x[0].
 *   result  1 float */
MMK_API enum mmk_status mmk_logsumexp(size_t n, const float *x, float *result);

/* ---- Top-k --------------------------------------------------------------------------------- */

/* The first k of n scores in the total order: value descending, then index ascending; +0 equals -0;
 * NaN after everything else (several NaN by index). Values (the scores' own bits, NaN as 0x7fc00000)
 * and indices come out in that order. *count = min(k, n) of them are written; with k > n the rest of the
 * outputs is left alone.
 *   values, indices   k elements each; either may be NULL when not wanted
 *   count             may be NULL
 * n must be below 2^32. */
MMK_API enum mmk_status mmk_topk(size_t n, const float *scores, size_t k, float *values,
                                 uint32_t *indices, size_t *count);

/* The same for each of m rows; outputs m x k with leading dimension ldout >= k. */
MMK_API enum mmk_status mmk_topk_rows(size_t m, size_t n, const float *scores, size_t ldscores,
                                      size_t k, float *values, uint32_t *indices, size_t ldout,
                                      size_t *count, const struct mmk_options *options);

/* ---- Search -------------------------------------------------------------------------------- */

/* For each x_i the first k of sim(x_i, y_j), j < n, in the order of mmk_topk: the values and indices
 * that mmk_similarity_matrix followed by mmk_topk_rows gives, bit for bit, without the m x n scores.
 *   values, indices   m x k, leading dimension ldout >= k; either may be NULL when not wanted
 *   count             min(k, n), may be NULL; beyond it a row of the outputs is left alone
 * Memory: a packed copy of up to 4,200 rows of X; and a worker 1,376 rows of Y, 16 k + 640 bytes for each
 * row of X, at most 64 MB of them at a time (but for 84 rows at least), and some 100 k bytes to sort. Y is read once for every batch of
 * rows of X, in order: it may be a mapped file. m and n must be below 2^32. */
MMK_API enum mmk_status mmk_search(enum mmk_similarity similarity, size_t m, size_t n, size_t d,
                                   const float *x, size_t ldx, const float *y, size_t ldy, size_t k,
                                   float *values, uint32_t *indices, size_t ldout, size_t *count,
                                   const struct mmk_options *options);

/* Both directions from one pass over the scores: for each x_i the first k_x of all y_j, and for each
 * y_j the first k_y of all x_i (index i).
 *   values_x, indices_x   m x k_x, leading dimension ldout_x >= k_x; each may be NULL
 *   values_y, indices_y   n x k_y, likewise
 * min(k_x, n) and min(k_y, m) are written a row. Memory as mmk_search, but X is packed whole and the
 * candidates of all its rows are kept: let X be the smaller side. A worker takes 16 k_y + 1,500 bytes more
 * for each of up to 1,344 columns, at most 8 MB of them (but for 32 columns at least). */
MMK_API enum mmk_status mmk_search_both(enum mmk_similarity similarity, size_t m, size_t n,
                                        size_t d, const float *x, size_t ldx, const float *y,
                                        size_t ldy, size_t k_x, float *values_x,
                                        uint32_t *indices_x, size_t ldout_x, size_t k_y,
                                        float *values_y, uint32_t *indices_y, size_t ldout_y,
                                        const struct mmk_options *options);

/* mmk_search in a packed gallery: the same values and indices. */
MMK_API enum mmk_status mmk_gallery_search(const struct mmk_gallery *gallery, size_t m,
                                           const float *x, size_t ldx, size_t k, float *values,
                                           uint32_t *indices, size_t ldout, size_t *count,
                                           const struct mmk_options *options);

/* ---- Retrieval metrics ---------------------------------------------------------------------- */

/* How good the rankings of m queries over n items are. relevant is m x n: of query i the items with a
 * weight above 0 are relevant, R_i of them; how great a weight is does not matter.
 *     Recall@K     1 if one of the first K items is relevant, else 0 (a hit rate)
 *     R-Precision  relevant ones among the first R_i items / R_i
 *     mAP@R        1/R_i sum over the relevant ranks r <= R_i of (relevant ones up to r) / r
 * each as the mean over the queries with R_i > 0; the others are left out. An item that a ranking lists
 * again is no second hit. mAP@R <= R-Precision <= 1.
 *   rankings      m x depth, leading dimension ldrankings >= depth: items, the best first, all below n;
 *                 what mmk_search and mmk_topk_rows write as indices
 *   recall_at     recall_count values of K in any order; Recall@0 is 0
 *   recall        recall_count doubles, in the order of recall_at
 *   r_precision, map_at_r   1 double each
 *   counted       how many queries have R_i > 0: m - *counted are left out. With none the means are NaN
 * Any output may be NULL when not wanted. depth must reach min(K, n) of each K, and every R_i where
 * R-Precision or mAP@R is wanted, else MMK_ERR_DEPTH. Memory is O(max R_i), time linear in what is read, as is to be expected of a hash table.
 * Sources: Musgrave et al. 2020 (R-Precision, mAP@R); Chun et al. 2022 (ECCV Caption). */
MMK_API enum mmk_status
mmk_retrieval_metrics(size_t m, size_t n, size_t depth, const uint32_t *rankings, size_t ldrankings,
                      const struct mmk_csr *relevant, size_t recall_count, const size_t *recall_at,
                      double *recall, double *r_precision, double *map_at_r, size_t *counted);

#ifdef __cplusplus
}
#endif

#endif

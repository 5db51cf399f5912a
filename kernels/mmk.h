/* mmk.h - multimodal kernels: similarity, contrastive losses and search.
 * SPDX-License-Identifier: MIT
 *
 * Conventions that hold for every function here
 *   names     X is m x d with rows x_i, Y is n x d with rows y_j; s, logit_scale, 1 / temperature.
 *   structs   are initialised with zeros, best by designated initialisers. A field that is 0 or
 *             NULL means what its comment says, or is refused by name.
 *   sizes     size_t; a product of sizes that leaves the address space is MMK_ERR_SIZE. Zero rows
 *             are legal and do nothing. d = 0 is legal: every dot product is 0.
 *   memory    any alignment of an element is fine. Inputs are never written. Outputs must not
 *             overlap inputs or each other unless a function says so.
 *   results   what is NULL among the results is not wanted, and its work is saved. The bits of a
 *             result do not depend on which others are wanted, nor on threads or workspace.
 *   errors    enum mmk_status is returned; on an error nothing is written to any output, and
 *             mmk_error_detail() says which argument was wrong.
 *   NaN       a NaN result is always the quiet NaN 0x7fc00000 (a double's 0x7ff8000000000000),
 *             whatever NaN came in. Inf follows IEEE 754 through the formula as it is written.
 *   bits      the same on scalar, avx2, avx512 and neon, as long as mmk_numerics_version() is.
 *   threads   options->threads, but no more than the greater of 16 and 4 a CPU, OpenMP's limit, and
 *             what the system gives. On the calling thread alone run functions without options, and
 *             all in the children, and theirs, of a process that had threads when it forked: OpenMP
 *             would wait for those. All are reentrant; mmk_isa_use() is the only global state.
 *   state     of floating point: the caller's does not matter and is left as it was, flags too. But
 *             mmk_similarity_pair and _query, and those of f16, bf16 and int8, a few ns long, work
 *             in it and want the default: to nearest, with denormals, no traps. Otherwise bits
 *             differ; where denormals count as 0, a row of them has cosine NaN; any input may trap.
 *             NaN stays the one NaN.
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

/* ---- Versions and status --------------------------------------------------------------------- */

/* The SONAME is libmmk.so.MAJOR. It stays as long as programs built before run unchanged:
 * functions, statuses and enum values may be added, and fields in the place of a struct's
 * `reserved` ones, where 0 means what there was before. A reserved field that is not 0 is
 * MMK_ERR_RESERVED: who asks an older library for something newer is told so. While MAJOR is 0 the
 * SONAME is no promise: a new MINOR may break it.
 *   mmk_version            "0.1.0", of the library that is linked
 *   mmk_numerics_version   rises whenever a bit of any result changes, and only then */
MMK_API const char *mmk_version(void);
MMK_API int mmk_numerics_version(void);

enum mmk_status {
    MMK_OK = 0,
    MMK_ERR_NULL,     /* a required pointer is NULL */
    MMK_ERR_RESERVED, /* a reserved field is not 0 */
    MMK_ERR_TYPE,     /* an element type that the function does not take */
    MMK_ERR_SIZE,     /* a product of sizes overflows, or an index would not fit uint32_t */
    MMK_ERR_SHAPE,    /* rows or columns of two arguments do not fit each other */
    MMK_ERR_LEADING_DIMENSION, /* smaller than the row that it must hold */
    MMK_ERR_CONFLICT,          /* two arguments exclude each other, or one needs another */
    MMK_ERR_SIMILARITY,        /* not a value of enum mmk_similarity, or not the required one */
    MMK_ERR_LOGIT_SCALE,       /* zero, negative, NaN or above 1.7e38 */
    MMK_ERR_WEIGHT,            /* negative, NaN or infinite */
    MMK_ERR_BIAS,              /* NaN, infinite or beyond 2^100 */
    MMK_ERR_UPSTREAM,          /* NaN or infinite */
    MMK_ERR_OFFSET,            /* offset + m exceeds n: some x_i would have no positive */
    MMK_ERR_ROW_START,         /* of a CSR matrix goes down from a row to the next */
    MMK_ERR_INDEX,             /* not below n; or a target has weight on a pair left out */
    MMK_ERR_DEPTH,             /* rankings are shorter than what is asked of them needs */
    MMK_ERR_THREADS,           /* negative */
    MMK_ERR_WORKSPACE,         /* a pointer without bytes, or bytes without a pointer */
    MMK_ERR_NO_MEMORY,         /* the function's own allocation failed */
    MMK_ERR_ISA_UNKNOWN,       /* the name (or MMK_ISA in the environment) is none */
    MMK_ERR_ISA_UNUSABLE,      /* this machine or build cannot run it */
    MMK_ERR_GALLERY,           /* packed for another ISA or similarity, or not allowed here */
    MMK_ERR_ORIGIN             /* an element is NaN, infinite or not below 2^100 */
};

/*   mmk_status_string   one sentence for a status; never NULL
 *   mmk_error_detail    what was wrong in the last call of this thread that returned an error, with
 *                       the argument's name: "y has 4 columns, x has 3"; "" before the first */
MMK_API const char *mmk_status_string(enum mmk_status status);
MMK_API const char *mmk_error_detail(void);

/* ---- Instruction set ------------------------------------------------------------------------- */

/* The widest instruction set that the machine can run is used, unless MMK_ISA in the environment or
 * mmk_isa_use() names one ("scalar", "avx2", "avx512", "neon"). Each uses the extensions that the
 * machine has; "avx2:vnni", "avx512:vnni", "avx512:bf16", "avx512:vnni+bf16" and "neon:dotprod"
 * insist on what they name and use nothing else, "avx2:base" and so on leave all alone. The bits
 * are the same. A name that is unknown or not usable here is an error, never another instruction
 * set: with a bad MMK_ISA every function that computes returns MMK_ERR_ISA_UNKNOWN or
 * MMK_ERR_ISA_UNUSABLE until mmk_isa_use() names a usable one. MMK_ISA is read at the first use,
 * and by mmk_isa_use(NULL); an empty one counts as unset. A CPU whose bf16 products round or flush
 * otherwise than "Rows of bf16" says counts as one without bf16. */
enum mmk_isa { MMK_ISA_SCALAR = 0, MMK_ISA_AVX2, MMK_ISA_AVX512, MMK_ISA_NEON };
#define MMK_ISA_COUNT 4

/*   name     of an instruction set ("avx512"); NULL for a value that is none
 *   usable   MMK_OK when this machine and this build can run it
 *   use      this one from now on, in all threads; NULL: the default; an error changes nothing
 *   in_use   which one the next call will run; extension: with what ("vnni", "vnni+bf16", "base"
 *            for nothing; NULL where MMK_ISA is bad) */
MMK_API const char *mmk_isa_name(enum mmk_isa isa);
MMK_API enum mmk_status mmk_isa_usable(enum mmk_isa isa);
MMK_API enum mmk_status mmk_isa_use(const char *name);
MMK_API enum mmk_status mmk_isa_in_use(enum mmk_isa *isa);
MMK_API const char *mmk_isa_extension(void);

/* ---- Matrices and options -------------------------------------------------------------------- */

/* Element types: float, int8_t, int32_t, and in const uint16_t * the bits of IEEE binary16 and of
 * bfloat16. What a function does not take is MMK_ERR_TYPE; all take MMK_F32, and only that, but for
 * those that name others. MMK_I32 is of results only, MMK_F16 and MMK_BF16 are of inputs only. */
enum mmk_type { MMK_F32 = 0, MMK_I8, MMK_I32, MMK_F16, MMK_BF16 };

struct mmk_gallery;

/* rows x columns elements, row-major.
 *   leading_dimension   elements from a row to the next; 0: columns
 *   row_scales          with MMK_I8: row i stands for row_scales[i] times its elements, as many as
 *                       rows; NULL: all 1. With other types it must be NULL (MMK_ERR_TYPE)
 *   packed              a gallery in place of data, where a function takes one: rows and columns
 *                       are the gallery's then, and may be left 0 */
struct mmk_matrix {
    const void *data;
    size_t rows, columns, leading_dimension;
    enum mmk_type type;
    const float *row_scales;
    const struct mmk_gallery *packed;
    const void *reserved[2];
};

/* The same to be written: rows and columns must be those of the result. */
struct mmk_matrix_out {
    void *data;
    size_t rows, columns, leading_dimension;
    enum mmk_type type;
    const void *reserved[2];
};

/* An m x n sparse matrix, compressed by rows: row i has the entries e = row_start[i] ..
 * row_start[i+1] - 1, entry e stands in column[e] and weighs weight[e]. Columns of a row may come
 * in any order, more than once, too (weights add up); a row may be empty. Below 2^32 - 1 entries.
 *   row_start   m + 1, never going down. The first need not be 0: row_start + i is the matrix from
 *               row i on, with the same column and weight
 *   column      below n
 *   weight      finite, not negative; NULL: all 1 */
struct mmk_csr {
    const size_t *row_start;
    const uint32_t *column;
    const float *weight;
};

/* NULL options are the same as all zero.
 *   threads           0: what OpenMP says (OMP_NUM_THREADS); 1: the calling thread only; see above
 *   workspace         memory that the call may use, any alignment; NULL: it allocates the least
 *   workspace_bytes   where it is below the least, too; keep it from call to call. One of 132 MB
 *                     made mmk_infonce 1.1 to 1.6 times as fast on large pages (MADV_HUGEPAGE, a
 *                     Zen 5 VM)
 *   query             not NULL: the call checks its arguments, writes here how much workspace it
 *                     can use, beside the results themselves, and computes nothing. Matrices and
 *                     outputs need no data then, targets do. On an error it is not written
 *   origin            for MMK_NEG_SQ_L2, else MMK_ERR_CONFLICT: d floats below 2^100, the same for
 *                     all parts of X or Y that are to have the bits of the whole. NULL: in each
 *                     column the median of Y's rows floor(i min(n, 672) / 9), i < 9, where what is
 *                     not below 2^100 counts as 0. A packed gallery has that of its packing */
struct mmk_options {
    int threads;
    void *workspace;
    size_t workspace_bytes;
    struct mmk_workspace_bytes *query;
    const float *origin;
    const void *reserved[3];
};

struct mmk_workspace_bytes {
    size_t least; /* with so much only new threads, if any, take memory beside it */
    size_t all;   /* up to this, more may save time; SIZE_MAX: not addressable */
};

/* ---- Similarity ------------------------------------------------------------------------------ */

/*   MMK_DOT        x.y = sum_k x_k y_k
 *   MMK_COSINE     x.y / (|x| |y|); a zero row has cosine 0 with everything. Rows of any finite
 *                  magnitude are safe (1e-20, 1e20: the norm neither under- nor overflows). A row
 *                  with NaN or Inf has cosine NaN with everything. Rounding may leave a result
 *                  outside [-1, 1]: pair, query and rows by (d / 30 + 24) 2^-24 at most, matrix
 *                  and search by (1.02 d + 16) 2^-24, d up to 2^22 (10 2^-23 met at d = 768).
 *   MMK_NEG_SQ_L2  -|x - y|^2; exactly 0 for x = y, never positive. Pair, query, rows and alignment
 *                  take differences; all else expands it, clamped at 0, as 2 x.y - |x|^2 - |y|^2
 *                  of rows less an origin o (see options): its error grows with |x - o|^2 +
 *                  |y - o|^2.
 * Source: Radford et al. 2021 (CLIP); Cai et al. 2025 use neg_sq_l2 with temperature 1. */
enum mmk_similarity { MMK_DOT = 0, MMK_COSINE, MMK_NEG_SQ_L2 };
#define MMK_SIMILARITY_COUNT 3

/* result = sim(x, y) for two vectors of d floats. */
MMK_API enum mmk_status mmk_similarity_pair(enum mmk_similarity similarity, size_t d,
                                            const float *x, const float *y, float *result);

/* result[j] = sim(x, y_j): one query of d floats against n rows; the bits of mmk_similarity_pair.
 *   squared_norms   n floats that mmk_squared_norms gave for Y: saves cosine half of its
 *                   arithmetic. NULL: taken on the way. Dot and neg_sq_l2 do not look at it */
MMK_API enum mmk_status mmk_similarity_query(enum mmk_similarity similarity, const float *x,
                                             const struct mmk_matrix *y, const float *squared_norms,
                                             float *result);

/* The same of f16: the bits of the two above for the same rows as floats, which f16 goes to
 * exactly, its denormal numbers, too. Y is of MMK_F16, and squared_norms are what mmk_squared_norms
 * gave for it. Y is read once, 2 n d bytes. Memory: none. */
MMK_API enum mmk_status mmk_similarity_pair_f16(enum mmk_similarity similarity, size_t d,
                                                const uint16_t *x, const uint16_t *y,
                                                float *result);
MMK_API enum mmk_status mmk_similarity_query_f16(enum mmk_similarity similarity, const uint16_t *x,
                                                 const struct mmk_matrix *y,
                                                 const float *squared_norms, float *result);

/* result[i] = sim(x_i, y_i) for m pairs of rows, m floats: the bits of mmk_similarity_pair. Y is
 * m x d, too, else MMK_ERR_SHAPE; X and Y may be the same matrix. An origin is MMK_ERR_CONFLICT.
 * Memory: none but for new threads. Both are read once, in order, 8 m d bytes: beyond the caches
 * that is its time. */
MMK_API enum mmk_status mmk_similarity_rows(enum mmk_similarity similarity,
                                            const struct mmk_matrix *x, const struct mmk_matrix *y,
                                            float *result, const struct mmk_options *options);

/* out[j] = |y_j|^2, n floats, summed as mmk_similarity_query sums it; of rows of MMK_F16 the bits
 * for the same rows as floats, of MMK_BF16 summed as mmk_similarity_query_bf16 does. Squares
 * overflow as they do in float (Inf), and underflow (of MMK_BF16 what is denormal is 0); the query
 * knows such rows by it and scales them. */
MMK_API enum mmk_status mmk_squared_norms(const struct mmk_matrix *y, float *out);

/* result_ij = sim(x_i, y_j), m x n. Every element is one chain of fused multiply-adds over k = 0 ..
 * d - 1 (of the normalised rows for cosine). X and Y may be the same matrix. Y may be packed. The
 * worst case is elements of one sign: there the greatest relative error of 4,096 products was
 * 1.4e-6 at d = 512, 1.8e-6 at 1,024, 3.9e-6 at 4,096, 5.5e-6 at 8,192 (of a product in blocks of
 * 384: 9e-7 to 4e-7).
 * X and Y may both be of MMK_I8: see "Rows of int8", with d of at most 131,071 (MMK_ERR_SIZE
 * above). The result is the bits of mmk_similarity_pair_i8; or, of MMK_I32 with MMK_DOT, x_i.y_j
 * exactly, and then neither has row_scales (MMK_ERR_CONFLICT). Y cannot be packed
 * (MMK_ERR_GALLERY, or MMK_ERR_TYPE where its type is another), and an origin is MMK_ERR_CONFLICT.
 * Each of X and Y may be of MMK_F16 or MMK_BF16: the bits are those of the same rows of floats.
 * Memory: packed copies of up to 4,200 rows of X and 1,344 of Y, of int8 d bytes a row, and 2 d
 * without extensions on avx2 and avx512, and 20 bytes more; for one or two rows of X none. Of
 * 16-bit floats up to 4,200 rows of X as floats, and 32 of Y a thread, beside that. */
MMK_API enum mmk_status mmk_similarity_matrix(enum mmk_similarity similarity,
                                              const struct mmk_matrix *x,
                                              const struct mmk_matrix *y,
                                              const struct mmk_matrix_out *result,
                                              const struct mmk_options *options);

/* out_i = x_i / |x_i|, m x d; a zero row stays zero, a row with NaN or Inf becomes all NaN. out may
 * be X itself, with the same leading dimension, if that is of floats. X may be of MMK_F16 or
 * MMK_BF16, too: the bits for the same rows as floats. */
MMK_API enum mmk_status mmk_normalize_rows(const struct mmk_matrix *x,
                                           const struct mmk_matrix_out *out);

/* ---- Rows of int8 ---------------------------------------------------------------------------- */

/* Rows of codes from -128 to 127 and a float scale: row x stands for x_scale x. Sums of products
 * are taken exactly, in 32 bits, hence d of at most 131,071 (MMK_ERR_SIZE above), and what is made
 * of them is rounded in double and once to float: results are those of the formula within half a
 * place and 2^-20 of one, neg_sq_l2 within that and 2^-50 (x_scale^2 x.x + y_scale^2 y.y).
 *   dot          x_scale y_scale x.y
 *   cosine       x.y / sqrt(x.x y.y), times the signs of both scales. A row that is zero, or whose
 *                scale is, has cosine 0 with everything but a row whose scale is NaN or Inf: all
 *                cosines of that are NaN. Never outside [-1, 1], and 1 for equal rows
 *   neg_sq_l2    -|x_scale x - y_scale y|^2, exactly 0 for equal rows with equal scales, never
 *                positive. With Inf as a scale NaN or -Inf
 * A row that stands for itself has scale 1. */

/* Rows of floats as codes: x_ik - centre_k, with one rounding v_ik, becomes the code nearest to
 * v_ik / scale_i, ties to even, with scale_i = max_k |v_ik| / 127. So codes are in [-127, 127], and
 * one of a row is at an end. A scale below 2^-126, where a float has few digits, is rounded up. A
 * zero row has scale 0, codes 0 and error 0; one with NaN or Inf, of its own or of an overflow in
 * v, scale NaN, codes 0 and error NaN. Rows of any other magnitude are safe. A quotient is taken as
 * a product with a rounded 1 / scale_i: within 5e-5 of a tie either code may be had.
 *   centre   d floats, taken from every row, or NULL: 0. Distances do not change by it
 *   codes    out, m x d of MMK_I8, or NULL
 *   scales   out, m floats, or NULL
 *   errors   out, m floats, or NULL: not below |x_i - centre - scale_i codes_i|, and above it by a
 *            factor of 1 + 2^-17 and by 2^-21 sqrt(d + 1) max_k |v_ik| at most, but for denormals
 * Memory: none. */
MMK_API enum mmk_status mmk_quantize_rows(const struct mmk_matrix *x, const float *centre,
                                          const struct mmk_matrix_out *codes, float *scales,
                                          float *errors);

/* *result = x.y for two vectors of d codes, exactly. */
MMK_API enum mmk_status mmk_dot_pair_i8(size_t d, const int8_t *x, const int8_t *y,
                                        int32_t *result);

/* *result = sim(x_scale x, y_scale y) for two vectors of d codes. */
MMK_API enum mmk_status mmk_similarity_pair_i8(enum mmk_similarity similarity, size_t d,
                                               const int8_t *x, float x_scale, const int8_t *y,
                                               float y_scale, float *result);

/* result[j] = x.y_j, exactly: one query of d codes against n rows of MMK_I8. Y's row_scales must be
 * NULL (MMK_ERR_CONFLICT). */
MMK_API enum mmk_status mmk_dot_query_i8(const int8_t *x, const struct mmk_matrix *y,
                                         int32_t *result);

/* result[j] = sim(x_scale x, y_j), where y_j has its row_scales: the bits of
 * mmk_similarity_pair_i8. Y is read once, n d bytes. */
MMK_API enum mmk_status mmk_similarity_query_i8(enum mmk_similarity similarity, const int8_t *x,
                                                float x_scale, const struct mmk_matrix *y,
                                                float *result);

/* ---- Rows of bf16 ---------------------------------------------------------------------------- */

/* Similarities of rows of bfloat16, each of which stands for the float with the same upper half.
 * Sums of products run in 64 float lanes: lane l takes the elements 2l and 2l + 1 of each 128, the
 * odd one first, each product added with one rounding (fused), and a tree joins the lanes. Denormal
 * elements count as 0 there, and a lane that a product leaves below 2^-126 becomes 0: so x86's
 * vdpbf16ps has it, which does the work where there is such.
 *   dot          errs by (ceil(d / 64) + 8) 2^-24 sum_k |x_k y_k| and d 2^-126 at most, for rows
 *                whose denormal elements are 0
 *   cosine       as of floats, safe for rows of any finite magnitude, denormal ones, too: where a
 *                square sum leaves [2^-60, 2^60] both are scaled, and summed as floats are. Outside
 *                [-1, 1] by (d / 30 + 26) 2^-24 at most
 *   neg_sq_l2    the bits of mmk_similarity_pair of the floats
 * Without AVX512-BF16 a row with elements below 2^-56 (1.4e-17) that are not 0 is summed twice, and
 * the second time, step by step, takes 8 to 15 times as long on AVX-512 and AVX2 (Zen 5 VM). */

/* result = sim(x, y) for two vectors of d elements. */
MMK_API enum mmk_status mmk_similarity_pair_bf16(enum mmk_similarity similarity, size_t d,
                                                 const uint16_t *x, const uint16_t *y,
                                                 float *result);

/* result[j] = sim(x, y_j): one query of d elements against n rows of MMK_BF16; the bits of
 * mmk_similarity_pair_bf16. Y is read once, 2 n d bytes.
 *   squared_norms   n floats that mmk_squared_norms gave for Y, or NULL: as in
 *                   mmk_similarity_query */
MMK_API enum mmk_status mmk_similarity_query_bf16(enum mmk_similarity similarity, const uint16_t *x,
                                                  const struct mmk_matrix *y,
                                                  const float *squared_norms, float *result);

/* ---- Packed and coded galleries -------------------------------------------------------------- */

/* Y normalised for cosine and laid out for the register tile of the instruction set in use:
 * mmk_similarity_matrix and mmk_search do this in every call; for those who search the same rows
 * again and again it can be done once. The result is used as .packed of a matrix, by several
 * threads at once if need be, with the same similarity and instruction set only (MMK_ERR_GALLERY).
 * Y may be of MMK_F16 or MMK_BF16, and X is of any type of float, whatever Y's is.
 * Memory: a copy, 4 n d bytes and a little; Y is not needed any more. While it is made, of 16-bit
 * floats 32 rows as floats a thread, here and below.
 *   gallery   out; to be freed with mmk_gallery_free (NULL is allowed there) */
MMK_API enum mmk_status mmk_gallery_pack(enum mmk_similarity similarity, const struct mmk_matrix *y,
                                         const struct mmk_options *options,
                                         struct mmk_gallery **gallery);
MMK_API void mmk_gallery_free(struct mmk_gallery *gallery);

/* Codes of Y for searches, made once: codes of 8 bits for mmk_search, where the instruction set in
 * use has such (avx2:vnni, avx512:vnni, neon:dotprod), the norms for cosine, the origin for
 * neg_sq_l2. Y may be of MMK_F16 or MMK_BF16. Its rows are not copied: they must stay where they
 * are, unchanged, until the gallery is freed. A search reads few of them: they may be a mapped file
 * larger than memory. Used as .packed like a packed gallery, with the bits that the rows themselves
 * give; mmk_similarity_matrix packs the rows in every call.
 * From 16,384 rows of 128 to 2,048 columns on, the directions of most energy are looked for in a
 * sample of the rows. If these gather near a few, up to 127, codes of the rows in these directions
 * rule out most pairs alone, and only of the others those of whole rows are read; rows without such
 * directions have codes of whole rows alone. Finding them is on the calling thread.
 * Memory: n d bytes and 16 n, for cosine 24 n, on pages of 2 MB; without codes 8 n for cosine. With
 * directions rows of codes are rounded up to 64 bytes, and have up to 144 more, beside 4 (d + 1)
 * bytes a direction. And while they are made, 36 d bytes a thread, or before these 4 d (d + 3,600)
 * and 0.7 MB, which are no workspace: a query of it says 0. */
MMK_API enum mmk_status mmk_gallery_encode(enum mmk_similarity similarity,
                                           const struct mmk_matrix *y,
                                           const struct mmk_options *options,
                                           struct mmk_gallery **gallery);

/* ---- InfoNCE --------------------------------------------------------------------------------- */

/* With the logits L_ij = s sim(x_i, y_j), and T the m x n matrix of targets,
 *     t_ij   = T_ij / sum_j T_ij,    u_ij = T_ij / sum_i T_ij
 *     loss_x = mean over the rows i with sum_j T_ij > 0 of     sum_j t_ij ( lse_x_i - L_ij )
 *     loss_y = mean over the columns j with sum_i T_ij > 0 of  sum_i u_ij ( lse_y_j - L_ij )
 *     loss   = weight_x loss_x + weight_y loss_y
 *     lse_x_i = log sum_j e^{L_ij},  lse_y_j = log sum_i e^{L_ij}
 * Without targets y_{i+offset} belongs to x_i: T_ij = [j = i + offset], and the loss is CLIP's.
 * NT-Xent (SimCLR): X = Y = both views of a batch, 2B rows, exclude_self, weights 1 and 0, one
 * target a row: the other view; the gradient of a row is its row of dX plus that of dY, which are
 * two buffers. Further negatives N (q x d) are columns n .. n + q - 1 that belong to no x_i: MoCo's
 * queue; lse_x is over them, too, T and lse_y have none of them. With P the softmax of a row, Q of
 * a column,
 *     G_ij = upstream ( weight_x/m_x (P_ij - t_ij) + weight_y/m_y (Q_ij - u_ij) )
 * over the m_x rows and m_y columns that have targets (each part is left out in the others), the
 * gradients are upstream times d loss / dX, dY, dN, with respect to the rows as they were passed,
 * and upstream d loss / ds = sum_ij G_ij sim_ij.
 * Edge cases: rows and columns without targets add nothing and are not counted; a loss without any
 * is 0. The least loss_x is the mean entropy of the t_i, 0 for single targets; one near 0 keeps its
 * relative accuracy, as a row's only target is joined last. Sums over the batch are chains of at
 * most 176 floats, four of them joined in float and these in double: at any m and n they add to
 * what the logits' errors do at most 3e-6 of what a gradient's greatest element would be if nothing
 * in it cancelled. m = n = 1 gives exactly 0. A zero row has gradient 0 (cosine), if what follows
 * does not make it NaN. NaN or +Inf among the logits of a row (column) makes its lse, and the loss,
 * NaN; a NaN lse, or logits of -Inf alone, make its row (column) of P (Q), and all that is summed
 * from it, NaN, whatever the weights. m = 0 or n = 0 gives loss 0 and lse of -Inf. Logits of any
 * size are right, but that Inf in X times an element of Y or N that logit_scale brings below 2^-149
 * may be NaN; rows and columns 80 nats below most, or 40 above, are done twice. Softmaxes below
 * 2^-126 count as 0. Where float has not the range between inputs and results (but for the cosine a
 * row longer than 2^60, or all below 2^-40; logit_scale times what weighs a pair in G above 2^20 or
 * below 2^-80; no logit above 2^-64; and their like) the call is done in double, some 40 times
 * slower.
 * Memory: logits are never stored: O(m + n + entries), packed copies of some 6,100 rows, with
 * gradients 12,200 and 300 more a thread, and 7 MB of G, and beyond 2,688 rows of X 8 bytes for
 * each element of dY and dN. Gradients make logits again (8 m n d flops in all) but for those that
 * are kept, 4 bytes for each pair (of blocks of 84 x 672, whole ones): with all 6 m n d. They are
 * kept in the workspace, and in what is free until it is written, dX and dY among it if their rows
 * have no gaps: all for m = n = 256 and d = 512, half for m = n = 4096. Kept ones are of no use
 * where a lse is so far from most (40 nats below, 60 above) that P and Q need an exponential each.
 * Sources: van den Oord et al. 2018; Radford et al. 2021; Khosla et al. 2020 (SupCon); Yang et al.
 * 2022 (UniCL); He et al. 2020 (MoCo); Chen et al. 2020 (SimCLR).
 *
 * Problem
 *   x, y           required
 *   negatives      N; NULL: none
 *   similarity     0 is MMK_DOT
 *   logit_scale    s itself, > 0, at most 1.7e38: where log s is what is learned, its exponential,
 *                  and d loss / d log s is s times dlogit_scale
 *   weight_x, _y   >= 0, finite; both 0: 1/2 and 1/2
 *   targets        T; NULL: one to one
 *   offset         of a shard in its batch, offset + m <= n; 0 with targets, but for exclude_self
 *   exclude_self   not 0: the pairs (i, i + offset) are left out of every sum; needs targets, which
 *                  must have no weight there (MMK_ERR_INDEX)
 *   lse_x, lse_y   both, of an earlier call with the same problem, m and n floats: then only
 *                  gradients and counts may be wanted, and nothing is made twice. Their rounding to
 *                  float, |lse| 2^-24, is an error of P's and Q's exponents. NULL: made here
 *   upstream       d of what is differentiated / d loss (grad_output), 1 float, finite; NULL: 1
 * Results
 *   loss, dlogit_scale, lse_x, lse_y              1, 1, m and n floats
 *   rows_counted, columns_counted                 m_x and m_y
 *   dx, dy, dnegatives                            m x d, n x d, q x d */
struct mmk_infonce_problem {
    const struct mmk_matrix *x, *y, *negatives;
    enum mmk_similarity similarity;
    float logit_scale, weight_x, weight_y;
    const struct mmk_csr *targets;
    size_t offset;
    int exclude_self;
    const float *lse_x, *lse_y;
    const float *upstream;
    const void *reserved[8];
};

struct mmk_infonce_results {
    float *loss, *lse_x, *lse_y;
    size_t *rows_counted, *columns_counted;
    const struct mmk_matrix_out *dx, *dy, *dnegatives;
    float *dlogit_scale;
    const void *reserved[8];
};

MMK_API enum mmk_status mmk_infonce(const struct mmk_infonce_problem *problem,
                                    const struct mmk_infonce_results *results,
                                    const struct mmk_options *options);

/* ---- Alignment and uniformity ---------------------------------------------------------------- */

/* InfoNCE in two parts, which need not be about the same pairs:
 *     uniformity = weight_x mean_i log mean_j e^{L_ij} + weight_y mean_j log mean_i e^{L_ij}
 *     alignment  = mean_i -L_ii                                                            (m = n)
 * A loss that pulls pairs (x_i, y_i) together and pushes each modality's samples apart, from a
 * second batch x' of it, is alignment(x, y) + uniformity(x, x') with weights 1 and 0. lse is the
 * log of the sums, not of the means. Near 0 uniformity's error is absolute, 1e-7, but not where row
 * lengths keep all logits below 1e-4: that is done in double. m = 0 or n = 0 gives 0.
 * Errors: both take InfoNCE's structs; targets, offset, exclude_self, negatives and a given lse
 * must be left out, for alignment also weights and the results lse and counts (MMK_ERR_CONFLICT).
 * Memory: of uniformity InfoNCE's, of alignment O(m + d), with O(m d) flops.
 * Sources: Wang and Isola 2020; Cai et al. 2025. */
MMK_API enum mmk_status mmk_uniformity(const struct mmk_infonce_problem *problem,
                                       const struct mmk_infonce_results *results,
                                       const struct mmk_options *options);
MMK_API enum mmk_status mmk_alignment(const struct mmk_infonce_problem *problem,
                                      const struct mmk_infonce_results *results,
                                      const struct mmk_options *options);

/* ---- Sigmoid loss ---------------------------------------------------------------------------- */

/* With L_ij = s sim(x_i, y_j) + bias, and z_ij = 1 where y_j belongs to x_i, else -1:
 *     loss = 1/m sum_ij log(1 + e^{-z_ij L_ij})
 * With log-variances p (m x d) and q (n x d), X and Y are the means of Gaussian embeddings, and sim
 * is minus their closed-form sampled distance (PCME++):
 *     sim(x_i, y_j) = -( |x_i - y_j|^2 + sum_k (e^{p_ik} + e^{q_jk}) )
 * Gradients are times upstream.
 * Edge cases: relative accuracy is kept, and terms below 2^-150 count as 0. NaN among the logits
 * makes the loss NaN. m = 0 or n = 0 gives loss 0. Range as in InfoNCE, and of a bias beyond 60
 * with small s sim; variances of any size.
 * Memory: as InfoNCE; the logits are made once, 2 m n d flops, with gradients 6 m n d, and nothing
 * is kept, so that workspace beyond `least` is of no use.
 * Sources: Zhai et al. 2023 (SigLIP: bias -10 and s = 10 at the start); Chun 2024 (PCME++).
 *
 * Problem
 *   similarity           0 is MMK_DOT
 *   log_variance_x, _y   p and q, both or none; with MMK_NEG_SQ_L2 only
 *   logit_scale, bias    s itself, as in InfoNCE; at most 2^100 either way
 *   positives            m x n: pairs with weight above 0 belong together, how great it is does not
 *                        matter; NULL: y_{i+offset} belongs to x_i
 *   offset               offset + m <= n; 0 with positives
 *   upstream             d of what is differentiated / d loss, 1 float, finite; NULL: 1
 * Results
 *   loss, dlogit_scale, dbias                     1 float each
 *   dx, dy, dlog_variance_x, dlog_variance_y      m x d, n x d; the latter only with variances */
struct mmk_sigmoid_problem {
    const struct mmk_matrix *x, *y;
    const struct mmk_matrix *log_variance_x, *log_variance_y;
    enum mmk_similarity similarity;
    float logit_scale, bias;
    const struct mmk_csr *positives;
    size_t offset;
    const float *upstream;
    const void *reserved[8];
};

struct mmk_sigmoid_results {
    float *loss;
    const struct mmk_matrix_out *dx, *dy;
    const struct mmk_matrix_out *dlog_variance_x, *dlog_variance_y;
    float *dlogit_scale, *dbias;
    const void *reserved[8];
};

MMK_API enum mmk_status mmk_sigmoid(const struct mmk_sigmoid_problem *problem,
                                    const struct mmk_sigmoid_results *results,
                                    const struct mmk_options *options);

/* ---- Exponential ----------------------------------------------------------------------------- */

/* y[i] = e^{x[i]} for n floats, at most 0.8914 units in the last place off for every float. 0 where
 * e^x is below 2^-126 (no denormal results), +Inf where it is above the greatest float; exactly 1
 * at +0 and -0. y == x is allowed. */
MMK_API enum mmk_status mmk_exp(size_t n, const float *x, float *y);

/* result = log sum_i e^{x[i]} over n floats, as max + log sum_i e^{x[i] - max}: it neither under-
 * nor overflows. Terms below 2^-126 of the greatest count as 0. -Inf for n = 0 and where every x[i]
 * is -Inf, +Inf where one is +Inf; a NaN makes it NaN. n = 1 returns x[0]. */
MMK_API enum mmk_status mmk_logsumexp(size_t n, const float *x, float *result);

/* ---- Top-k ----------------------------------------------------------------------------------- */

/* The first k of each row of scores (m x n) in the total order: value descending, then index
 * ascending; +0 equals -0; NaN after everything else (several NaN by index). Values (the scores'
 * own bits, NaN as 0x7fc00000) and indices come out in that order, min(k, n) of them; beyond these
 * a row of the outputs is left alone. n must be below 2^32.
 *   values, indices     m x k each; NULL: not wanted
 *   leading_dimension   of both; 0: k. Not looked at where neither is wanted
 *   count               min(k, n); NULL: not wanted */
struct mmk_topk_results {
    size_t k;
    float *values;
    uint32_t *indices;
    size_t leading_dimension;
    size_t *count;
    const void *reserved[2];
};

MMK_API enum mmk_status mmk_topk(const struct mmk_matrix *scores,
                                 const struct mmk_topk_results *results,
                                 const struct mmk_options *options);

/* ---- Search ---------------------------------------------------------------------------------- */

/* For each x_i the first k of sim(x_i, y_j), j < n; and, from the same pass over the scores, for
 * each y_j the first k of sim(x_i, y_j), i < m: the values and indices that mmk_similarity_matrix
 * followed by mmk_topk gives, bit for bit, without the m x n scores. Y may be packed, and X and Y
 * each of MMK_F16 or MMK_BF16. m and n must be below 2^32.
 * Memory: packed copies of up to 4,200 rows of X and, a worker, 1,376 of Y; and a worker's
 * candidates, 16 k + 640 bytes a row of X, at most 64 MB (but for 84 rows at least). Up to 8 rows
 * of X, which meet the rows of Y as they lie, take 4 d bytes each and, a worker, 16 KB and 16 KB
 * more each. With codes a quarter of these copies more, X row by row, 136 bytes a row of X and
 * worker, and 36 d a worker, or with directions (mmk_gallery_encode) d + 220 more a row of X, and
 * 0.4 MB a worker. Y is read once for every batch of rows of X, in order, and its likely rows
 * again, with codes and where X is up to 8 rows: it may be a mapped file. With for_y, X is packed
 * whole and all its rows' candidates are kept, and 8 MB of those of columns: let X be the smaller
 * side. Of 16-bit floats as many rows of X as are packed, or up to 8, are there as floats, and 32
 * of Y a worker.
 *   similarity     0 is MMK_DOT
 *   without_codes  not 0: all products are made of floats. 0: where it is likely to pay, floats are
 *                  multiplied only where a bound on products of 8-bit codes leaves it open whether
 *                  a score is among the first k; the results are the same. That is so with the
 *                  extensions vnni and dotprod, for for_x alone, from 64 columns on, if Y is coded
 *                  (mmk_gallery_encode) and has 8,192 rows, and 400 k, for each thread. If it is
 *                  not coded it takes up to twice as many, and 64 rows of X at 256 columns, 256 at
 *                  64. Rows that codes cannot tell apart cost some 1.2 times what they do without
 *   for_x, for_y   m rows of k results, n rows of k; NULL: not wanted. Beyond min(k, n) or min(k,
 *                  m) of them a row is left alone, as in mmk_topk
 *   work           how many pairs were scored, and what ruled out the others; NULL: not wanted */
struct mmk_search_problem {
    const struct mmk_matrix *x, *y;
    enum mmk_similarity similarity;
    size_t without_codes;
    const void *reserved[7];
};

struct mmk_search_results {
    const struct mmk_topk_results *for_x, *for_y;
    struct mmk_search_work *work;
    const void *reserved[3];
};

/* What became of the m n pairs; these four add up to it, or are 0 where there was nothing to do. At
 * another number of threads, or in another run with more than one, they may be others.
 *   scored                their scores were made
 *   ruled_out_by_prefix   codes of a few numbers of each row ruled them out (mmk_gallery_encode),
 *   ruled_out_by_codes    or codes of the whole rows,
 *   ruled_out_by_sums     or sums of floats in another order than the scores' own */
struct mmk_search_work {
    uint64_t scored, ruled_out_by_prefix, ruled_out_by_codes, ruled_out_by_sums;
};

MMK_API enum mmk_status mmk_search(const struct mmk_search_problem *problem,
                                   const struct mmk_search_results *results,
                                   const struct mmk_options *options);

/* ---- Retrieval metrics ----------------------------------------------------------------------- */

/* How good the rankings of m queries over n items are. relevant is m x n: of query i the items with
 * a weight above 0 are relevant, R_i of them; how great a weight is does not matter.
 *     Recall@K     1 if one of the first min(K, depth) items is relevant, else 0 (a hit rate)
 *     R-Precision  relevant ones among the first R_i items / R_i
 *     mAP@R        1/R_i sum over the relevant ranks r <= R_i of (relevant ones up to r) / r
 * each as the mean over the queries with R_i > 0; the others are left out. An item that a ranking
 * lists again is no second hit. mAP@R <= R-Precision <= 1. With no query counted the means are NaN.
 * depth must reach min(K, n) of each K, and R_i for R-Precision or mAP@R, else MMK_ERR_DEPTH.
 * Memory: O(max R_i), time linear in what is read, as is to be expected of a hash table.
 * Sources: Musgrave et al. 2020 (R-Precision, mAP@R); Chun et al. 2022 (ECCV Caption).
 *
 * Problem
 *   rankings            m x depth: items, the best first, all below n, as mmk_search writes them
 *   leading_dimension   of rankings; 0: depth
 *   recall_at           recall_count values of K in any order; Recall@0 is 0
 * Results
 *   recall, r_precision, map_at_r   recall_count doubles, in the order of recall_at; 1 double each
 *   counted                         queries with R_i > 0: m - *counted are left out */
struct mmk_retrieval_problem {
    size_t m, n, depth;
    const uint32_t *rankings;
    size_t leading_dimension;
    const struct mmk_csr *relevant;
    size_t recall_count;
    const size_t *recall_at;
    const void *reserved[8];
};

struct mmk_retrieval_results {
    double *recall, *r_precision, *map_at_r;
    size_t *counted;
    const void *reserved[8];
};

MMK_API enum mmk_status mmk_retrieval_metrics(const struct mmk_retrieval_problem *problem,
                                              const struct mmk_retrieval_results *results);

#ifdef __cplusplus
}
#endif

#endif

/* case.h - one descriptor per public kernel: arguments, oracle, tolerance, shapes, cost model.
 * SPDX-License-Identifier: MIT
 *
 * The checker, the bench, the profiler and the tables all read these descriptors; what they ask of
 * a kernel is a field here. A trial is one kernel at one shape with one kind of input; who runs it
 * (an instruction set, a thread count, a peer library) is a column of its own and not part of the
 * trial. What can be done with a trial stands in trial.h.
 */
#ifndef MMK_CASE_H
#define MMK_CASE_H

#include "../kernels/mmk.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What a trial's inputs are filled with. */
enum fill {
    FILL_NORMAL,     /* N(0,1) scaled by 1/sqrt(d): the ordinary case */
    FILL_POSITIVE,   /* all positive: no cancellation, rounding errors do not average out */
    FILL_INTEGER,    /* small integers and powers of two: dot products are exact */
    FILL_UNIT_ROWS,  /* normal, every row of length 1 */
    FILL_DUPLICATES, /* many equal rows; for top-k many equal scores */
    FILL_TIES,       /* few distinct values */
    FILL_ZERO_ROWS,  /* some rows all zero, of others every second element */
    FILL_TINY,       /* rows of magnitude 1e-20; of f16 1e-4, with denormal numbers among them */
    FILL_HUGE,       /* rows of magnitude 1e20; of f16 1e4 */
    FILL_DENORMAL,   /* denormal numbers, of f16 its own */
    FILL_INF,        /* some +Inf and -Inf */
    FILL_NAN_FIRST,  /* NaN in the first element, */
    FILL_NAN_LAST,   /* in the last element of the last row, */
    FILL_NAN_TAIL,   /* in the part of a row beyond the last whole vector */
    FILL_ALIGNED,    /* y close to its positive x: softmax near 1 on the positive */
    FILL_MEAN_10,    /* all rows near one far from 0: N(10, 0.1), */
    FILL_MEAN_1000,  /* N(1000, 1) */
    FILL_EQUAL_ROWS, /* of each operand: all roundings of a sum over them go one way */
    FILL_MAGNITUDES, /* every row has a power of two of its own, from 2^-74 to 2^62; of f16 from
                        2^-14 to 2^12 */
    FILL_SPECIALS,   /* every row is of a kind of its own: zero, Inf, NaN, denormal ... */
    /* Scores, for top-k; two of them for searches, too: */
    FILL_ASCENDING,  /* each beats the ones before */
    FILL_DESCENDING, /* none does */
    FILL_CONSTANT,   /* all equal */
    FILL_SAWTOOTH,   /* teeth that are as long as some vectors, and rise */
    FILL_ORGAN_PIPE, /* rising, then falling */
    FILL_SPIKES,     /* one in 64 is far above the others, and each above the one before */
    FILL_OUTLIERS,   /* one +Inf, one -Inf, all others close together */
    FILL_MOST_NAN,   /* few are numbers, */
    FILL_MOST_INF,   /* or few are not -Inf */
    FILL_GIVEN,      /* the caller has filled the inputs (real data) */
    FILL_COUNT
};

struct shape {
    size_t m, n, d;
    size_t k;         /* results */
    size_t positives; /* of a row; in texts a k, too */
    size_t negatives; /* further columns that belong to no row; in texts a q */
    size_t ld_extra;  /* added to the first leading dimension, twice to the second ... */
    enum mmk_similarity similarity;
    float logit_scale;
    float weight_x, weight_y;
    float upstream; /* of InfoNCE with negatives; 0: none is passed, which is the same as 1 */
    size_t offset;
};

enum element {
    ELEMENT_F32,
    ELEMENT_U32,
    ELEMENT_F64,
    ELEMENT_SIZE, /* size_t */
    ELEMENT_I8,   /* codes, which an output may miss by its bound; none of it is -128 */
    ELEMENT_I32,
    ELEMENT_F16, /* these two of inputs only */
    ELEMENT_BF16
};

enum sign { SIGN_ANY, SIGN_NOT_NEGATIVE, SIGN_NOT_POSITIVE };

/* One argument that is an array. */
struct buffer {
    const char *name; /* "x", "lse_y" */
    bool output;
    enum element element;
    size_t rows, cols, ld; /* elements */
    void *data;
    double *expected; /* outputs: rows x cols, from the oracle */
    double *bound;    /* outputs: greatest right |data - expected|, derived in the oracle's file, or
                         one of the two below */
    enum sign sign;   /* outputs that never have one of the signs */
    bool exact;       /* outputs that copy bits (top-k values): the sign of zero counts too */
    bool unwanted;    /* outputs: the call passes NULL in its place */
    void *memory;     /* what trial_close() gives back */
};

/* The formula leaves the value open (0 * Inf from an underflow, say): not compared with expected,
 * but the same bits on every ISA all the same. */
#define BOUND_OPEN INFINITY
/* The function must leave this element alone (top-k beyond count). */
#define BOUND_UNTOUCHED (-1.0)

enum { TRIAL_BUFFERS = 14 };

struct trial {
    const struct kernel *kernel;
    struct shape shape;
    enum fill fill;
    uint64_t seed;
    struct mmk_options options; /* threads and workspace, set by who runs it */
    int buffer_count;
    struct buffer buffer[TRIAL_BUFFERS];
    size_t count;          /* kernels that count: what *count (*counted) came back as, */
    size_t expected_count; /* and what is right, from the oracle: of top-k min(k, n) */
    bool count_unwanted;
    struct mmk_search_work *work; /* where a search's call says what became of the pairs; or NULL */
    void *prepared;               /* what the kernel's prepare() made */
    size_t judged_rows;           /* of each output, where the oracle judges a few only; 0: all */
};

/* An argument by its name; NULL: the kernel has none of it. (A cast, as strchr has one: who may
 * write the trial may write what is found.) */
static inline struct buffer *trial_buffer(const struct trial *trial, const char *name)
{
    for (int b = 0; b < trial->buffer_count; b++)
        if (strcmp(trial->buffer[b].name, name) == 0)
            return (struct buffer *)(uintptr_t)&trial->buffer[b];
    return NULL;
}

/* What struct kernel has in place of a value of enum mmk_similarity. */
enum { SIMILARITY_NONE = -2, SIMILARITY_FROM_SHAPE = -1 };

/* What the check of another library's outputs grants it beyond the bounds, which are those of our
 * own order of summation. */
enum allowance {
    ALLOWANCE_NONE,
    ALLOWANCE_SIMILARITY, /* another order in every sum of `result`, from rows of x and y */
    ALLOWANCE_COSINE,     /* roundings in float of a cosine whose sums are exact */
    ALLOWANCE_SCORES,     /* the same of the scores behind `values` */
    ALLOWANCE_TIES,       /* equal scores in any order in `indices` */
    ALLOWANCE_SOFTMAX,    /* what is lost where the softmax is near 1 on the positive */
};

/* What an offset in a shape means. */
enum offset_use {
    OFFSET_NONE,    /* there is none */
    OFFSET_ALWAYS,  /* y_{i+offset} belongs to x_i: offset + m <= n, also where it is 0 */
    OFFSET_IF_GIVEN /* so where it is not 0; else m may be above n */
};

/* Every kernel has name, rooms, family, formula, dims, layout, call, oracle, flops, bytes, sweep
 * and bench shapes, and a release where it has a prepare (kernel_lacks); what else is left out is
 * NULL, 0 or false, and means that there is none. */
struct kernel {
    const char *name;     /* "infonce_forward", "cosine_pair" */
    const char *rooms;    /* folders in kernels/ that hold its inner loops, the busiest first */
    const char *family;   /* what --kernel takes for all of its kin, and saved results name it by */
    const char *formula;  /* one line for tables */
    const char *dims;     /* which sizes a shape of it has, in the order they are written: "mnd" */
    bool has_positives;   /* the k in dims is not that of results, but of a row's positives */
    bool has_logit_scale; /* shapes have a logit scale and, as InfoNCE, weights */
    enum offset_use offset;
    bool clip_loss;      /* it computes what CLIP's loss is elsewhere: one positive a row */
    bool gradients;      /* it writes gradients */
    bool counts;         /* its call sets trial->count */
    bool skips_products; /* flops counts products that a variant may do without, */
    bool narrow;         /* or that are not of floats: the rate of FMAs is no bound on them */
    bool ranks_gallery;  /* for each x_i the first k of all y_j, and nothing else */
    int similarity;      /* enum mmk_similarity, or one of the two above */
    bool both_signs; /* huge rows hold both signs, as for MMK_COSINE: nothing becomes Inf - Inf */

    /* Lists the trial's buffers (sizes, names, roles) from its shape; allocates nothing. */
    void (*layout)(struct trial *trial);
    /* Fills the inputs that only this kernel knows how to make, after the common fill (which it may
     * leave as it is); NULL: the common fill is all. */
    void (*fill)(struct trial *trial);
    /* What a user does once for many calls (packing a gallery), with the instruction set that will
     * be called; NULL: nothing. */
    enum mmk_status (*prepare)(struct trial *trial);
    void (*release)(struct trial *trial);
    /* Calls the public function on the trial's buffers, for the outputs that are wanted. */
    enum mmk_status (*call)(struct trial *trial);
    /* expected and bound of every output, in double; written as the formula in mmk.h. */
    void (*oracle)(struct trial *trial);
    /* Of a large case the oracle judges some rows only: which share of the work. NULL: always
     * all. */
    double (*judged)(const struct shape *shape);
    /* Judges outputs whose right value depends on other outputs (which of two equal scores comes
     * first); NULL: there are none. False: one is wrong, and message says which. */
    bool (*judge)(const struct trial *trial, size_t *judged, char *message, size_t message_bytes);

    /* Benched with a workspace, as trial_workspace() says. (All that take threads take one.) */
    bool workspace;
    bool keeps_exponentials; /* a workspace may hold some or all of its exponentials */

    enum allowance allowance;
    bool similarity_matrix; /* m x n similarities of rows as they come, and nothing else */
    size_t oracle_matrices; /* m x n matrices of doubles that its oracle keeps beside the outputs */
    bool paired;            /* y_i is a second view of what x_i shows, not a row of a gallery */
    bool synthetic_only;    /* its inputs cannot be made from rows of real vectors */
    size_t most_d;          /* longer rows are MMK_ERR_SIZE; 0: there is no such limit */

    double (*flops)(const struct shape *shape); /* 0: the kernel is bound by bytes alone */
    double (*bytes)(const struct shape *shape); /* bytes that must move */

    bool callers_state; /* it computes in the caller's floating-point state, and raises flags */
    bool takes_threads; /* and a workspace: run for 1, 2 and 3 threads, with and without one */
    /* Which fills mean something for it at a shape; NULL: all but GIVEN and those for scores. */
    bool (*fill_fits)(const struct shape *shape, enum fill fill);

    /* Shapes for the checker, many and small: writes them to shapes unless that is NULL, and
     * returns how many there are. quick: a few of every kind, for emulators and sanitizers. */
    size_t (*sweep)(bool quick, struct shape *shapes);
    const struct shape *bench; /* shapes for the bench */
    size_t bench_count;
};

/* The first field that every descriptor must have and this one lacks, by name; NULL: it is whole. A
 * count of flops may be 0, but there must be a function that says so. */
const char *kernel_lacks(const struct kernel *kernel);

/* All kernels, in the order of the tables. */
extern const struct kernel *const kernels[];
extern const size_t kernel_count;

/* False where a descriptor of these lacks a field: which one of whom is then written to error. */
bool kernels_complete(char *error, size_t size);

/* Whether the kernel can be tried with it at a shape. */
bool fill_fits(const struct kernel *kernel, const struct shape *shape, enum fill fill);

/* "normal"; NULL beyond FILL_COUNT. */
const char *fill_name(enum fill fill);

/* "cosine"; NULL beyond MMK_SIMILARITY_COUNT. */
const char *similarity_name(enum mmk_similarity similarity);

/* The kernel of that name, or NULL. */
const struct kernel *kernel_find(const char *name);

/* The size that a letter of kernel->dims stands for. */
size_t shape_size(const struct kernel *kernel, const struct shape *shape, char dim);

/* Whether the shape says which similarity it is. */
bool shape_has_similarity(const struct kernel *kernel);

/* "4096x4096x512 cosine s=14.3 w=0.5,0.5": the sizes of kernel->dims in order, then what differs
 * from the plain shape. */
void shape_format(const struct kernel *kernel, const struct shape *shape, char *text, size_t size);

/* Fills every input of a laid-out, allocated trial: same seed, same bits, on every machine. */
void trial_fill(struct trial *trial);

#endif

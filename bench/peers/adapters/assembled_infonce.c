/* assembled_infonce.c - InfoNCE from a library's matrix product.
 * SPDX-License-Identifier: MIT
 *
 * Three products by the library, and between them a softmax in plain C, compiled for this machine
 * with -ffast-math, so that the compiler makes wide vectors of it. It is to be as good as it gets
 * for someone who does not write the product himself:
 *     one exponential serves both directions: e^L, from which nothing is taken out. Logits are
 *     bounded by s |x| |y|, and up to MOST_LOGIT neither e^L nor a sum of them leaves float
 *     the logits are made in strips; a forward keeps one strip, a forward + backward all of them,
 *     as e^L. A strip of them is turned into s G in place, right before its two products
 *     s rides in the argument of the exponential and in the factors of G
 *     d loss / d s = sum_i dX_i . X_i / s, which needs no pass over the logits
 *     nothing is allocated in a call
 */
#include "assembled.h"
#include "rows.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* e^70 times 10^7 columns is a float. */
#define MOST_LOGIT 70.0f

/* For the trial of the last prepare. */
static struct {
    const struct matrix_library *library;
    size_t n, d, strip, ldlogits;
    int threads;
    bool gradients;
    float *unit_x, *unit_y;           /* cosine: normalised rows, */
    float *over_norm_x, *over_norm_y; /* and 1 / |row|; else NULL */
    float *logits;                    /* a strip of them, or all */
    float *row_sum, *column_sum;      /* of e^L; the columns' for every thread */
    float *positive;                  /* L_ii */
    float *column_factor;
} prepared;

static bool is_both(const struct trial *trial)
{
    return trial->kernel->gradients;
}

static bool runs(const struct kernel *kernel)
{
    return kernel->clip_loss;
}

/* ---- Buffers --------------------------------------------------------------------------------- */

static void free_prepared(void)
{
    free(prepared.unit_x);
    free(prepared.unit_y);
    free(prepared.over_norm_x);
    free(prepared.over_norm_y);
    free(prepared.logits);
    free(prepared.row_sum);
    free(prepared.column_sum);
    free(prepared.positive);
    free(prepared.column_factor);
    memset(&prepared, 0, sizeof prepared);
}

static float longest_row(const struct buffer *b)
{
    float longest = 0.0f;
    for (size_t i = 0; i < b->rows; i++) {
        const float *row = (const float *)b->data + i * b->ld;
        longest = fmaxf(longest, rows_dot(b->cols, row, row));
    }
    return sqrtf(longest);
}

/* Whether it can do the trial; else error says why not. */
static bool can_do(const struct trial *trial, char *error, size_t error_bytes)
{
    const struct shape *s = &trial->shape;
    bool cosine = s->similarity == MMK_COSINE;
    if (s->m != s->n || s->offset != 0 || s->m == 0 || s->d == 0) {
        snprintf(error, error_bytes, "only square batches were assembled");
        return false;
    }
    if (!cosine && s->similarity != MMK_DOT) {
        snprintf(error, error_bytes, "only dot and cosine were assembled");
        return false;
    }
    float most = s->logit_scale;
    if (!cosine)
        most *= longest_row(trial_buffer(trial, "x")) * longest_row(trial_buffer(trial, "y"));
    if (most <= MOST_LOGIT)
        return true;
    snprintf(
        error, error_bytes,
        "its softmax takes no maximum out, which does for logits up to %g; here they may reach "
        "%g",
        (double)MOST_LOGIT, (double)most);
    return false;
}

static bool prepare(struct peer *peer, const struct matrix_library *library,
                    const struct trial *trial, char *error, size_t error_bytes)
{
    if (!can_do(trial, error, error_bytes))
        return false;
    size_t n = trial->shape.n, d = trial->shape.d;
    prepared.library = library;
    prepared.n = n;
    prepared.d = d;
    prepared.strip = assembled_strip(library, n, d);
    prepared.ldlogits = rows_padded(n);
    prepared.threads = trial->options.threads;
    prepared.gradients = is_both(trial);
    bool good =
        rows_alloc(&prepared.row_sum, n) && rows_alloc(&prepared.positive, n) &&
        rows_alloc(&prepared.column_factor, n) &&
        rows_alloc(&prepared.column_sum, prepared.ldlogits * (size_t)prepared.threads) &&
        rows_alloc(&prepared.logits, prepared.ldlogits * (prepared.gradients ? n : prepared.strip));
    if (trial->shape.similarity == MMK_COSINE)
        good = good && rows_alloc(&prepared.unit_x, n * d) && rows_alloc(&prepared.unit_y, n * d) &&
               rows_alloc(&prepared.over_norm_x, n) && rows_alloc(&prepared.over_norm_y, n);
    if (!good)
        snprintf(error, error_bytes, "no memory for its logits");
    snprintf(peer->how, sizeof peer->how, "softmax of ours between its products");
    return good;
}

/* ---- Passes ---------------------------------------------------------------------------------- */

#define PARALLEL_ROWS _Pragma("omp parallel for num_threads(prepared.threads) schedule(static)")

/* e^x for |x| <= MOST_LOGIT: x = r ln 2 + f, a polynomial in f, and r into the exponent; 2 ulp for
 * |x| < 16, 4 at the end. In line, the compiler makes wide vectors of it, three times as fast as
 * the calls of libmvec that it makes of expf. */
static inline float exponential(float x)
{
    float r = rintf(x * 1.44269504f);
    float f = x - r * 0.69314718f;
    float p = 0.0083688274f + f * 0.0013823241f;
    p = 0.49999994f + f * (0.16666520f + f * (0.04166824f + f * p));
    p = 1.0f + f * (1.0f + f * p);
    union {
        int32_t bits;
        float value;
    } power = {.bits = ((int32_t)r + 127) << 23};
    return p * power.value;
}

/* e^{sL} of a row, added to the columns' sums; returns the row's. */
static float sum_row(size_t n, float scale, const float *restrict logits, float *restrict columns)
{
    float sum = 0.0f;
    for (size_t j = 0; j < n; j++) {
        float e = exponential(scale * logits[j]);
        columns[j] += e;
        sum += e;
    }
    return sum;
}

/* The same, which keeps e^{sL} in place of L. */
static float exponentiate_row(size_t n, float scale, float *restrict logits,
                              float *restrict columns)
{
    float sum = 0.0f;
    for (size_t j = 0; j < n; j++) {
        float e = exponential(scale * logits[j]);
        logits[j] = e;
        columns[j] += e;
        sum += e;
    }
    return sum;
}

static size_t strip_rows(size_t first)
{
    return prepared.n - first < prepared.strip ? prepared.n - first : prepared.strip;
}

/* Rows from `first` on, which lie at `logits`. */
static void sum_strip(size_t first, size_t rows, float scale, float *logits)
{
    PARALLEL_ROWS
    for (size_t i = 0; i < rows; i++) {
        float *row = logits + i * prepared.ldlogits;
        float *columns = prepared.column_sum + (size_t)omp_get_thread_num() * prepared.ldlogits;
        prepared.positive[first + i] = scale * row[first + i];
        prepared.row_sum[first + i] = prepared.gradients
                                          ? exponentiate_row(prepared.n, scale, row, columns)
                                          : sum_row(prepared.n, scale, row, columns);
    }
}

static void forward(float scale, struct rows x, struct rows y)
{
    memset(prepared.column_sum, 0, prepared.ldlogits * (size_t)prepared.threads * sizeof(float));
    for (size_t i = 0; i < prepared.n; i += prepared.strip) {
        size_t rows = strip_rows(i);
        float *logits = prepared.logits + (prepared.gradients ? i * prepared.ldlogits : 0);
        prepared.library->sgemm(false, true, rows, prepared.n, prepared.d, x.data + i * x.ld, x.ld,
                                y.data, y.ld, false, logits, prepared.ldlogits);
        sum_strip(i, rows, scale, logits);
    }
    for (size_t t = 1; t < (size_t)prepared.threads; t++)
        for (size_t j = 0; j < prepared.n; j++)
            prepared.column_sum[j] += prepared.column_sum[t * prepared.ldlogits + j];
}

static void write_forward(const struct trial *trial)
{
    float *lse_x = trial_buffer(trial, "lse_x")->data, *lse_y = trial_buffer(trial, "lse_y")->data;
    double loss_x = 0.0, loss_y = 0.0;
    for (size_t i = 0; i < prepared.n; i++) {
        lse_x[i] = logf(prepared.row_sum[i]);
        lse_y[i] = logf(prepared.column_sum[i]);
        loss_x += (double)(lse_x[i] - prepared.positive[i]);
        loss_y += (double)(lse_y[i] - prepared.positive[i]);
    }
    double loss = (double)trial->shape.weight_x * loss_x + (double)trial->shape.weight_y * loss_y;
    *(float *)trial_buffer(trial, "loss")->data = (float)(loss / (double)prepared.n);
}

/* s G of a row in place of e^L: e^L_ij (row_factor + column_factor_j); the positive is left to the
 * caller. */
static void gradient_row(float row_factor, const float *restrict column_factor, float *restrict row)
{
    for (size_t j = 0; j < prepared.n; j++)
        row[j] *= row_factor + column_factor[j];
}

/* The gradient of the rows from that of the normalised rows, in place: (v - (v . unit) unit) / |x|.
 * Without a norm the two are the same. Returns sum_i v_i . unit_i. */
static double project(const struct buffer *gradient, struct rows unit, const float *over_norm)
{
    double total = 0.0;
#pragma omp parallel for num_threads(prepared.threads) schedule(static) reduction(+ : total)
    for (size_t i = 0; i < prepared.n; i++) {
        float *v = (float *)gradient->data + i * gradient->ld;
        const float *u = unit.data + i * unit.ld;
        float along = rows_dot(prepared.d, v, u);
        total += (double)along;
        for (size_t k = 0; over_norm && k < prepared.d; k++)
            v[k] = over_norm[i] * (v[k] - along * u[k]);
    }
    return total;
}

static void backward(const struct trial *trial, struct rows x, struct rows y)
{
    const struct shape *s = &trial->shape;
    const struct buffer *dx = trial_buffer(trial, "dx"), *dy = trial_buffer(trial, "dy");
    float unit = s->logit_scale / (float)prepared.n;
    for (size_t j = 0; j < prepared.n; j++)
        prepared.column_factor[j] = s->weight_y * unit / prepared.column_sum[j];
    for (size_t first = 0; first < prepared.n; first += prepared.strip) {
        size_t rows = strip_rows(first);
        float *g = prepared.logits + first * prepared.ldlogits;
        PARALLEL_ROWS
        for (size_t i = 0; i < rows; i++) {
            float *row = g + i * prepared.ldlogits;
            gradient_row(s->weight_x * unit / prepared.row_sum[first + i], prepared.column_factor,
                         row);
            row[first + i] -= (s->weight_x + s->weight_y) * unit;
        }
        prepared.library->sgemm(false, false, rows, prepared.d, prepared.n, g, prepared.ldlogits,
                                y.data, y.ld, false, (float *)dx->data + first * dx->ld, dx->ld);
        prepared.library->sgemm(true, false, prepared.n, prepared.d, rows, g, prepared.ldlogits,
                                x.data + first * x.ld, x.ld, first > 0, dy->data, dy->ld);
    }
    double along = project(dx, x, prepared.over_norm_x);
    if (prepared.over_norm_y)
        project(dy, y, prepared.over_norm_y);
    *(float *)trial_buffer(trial, "dlogit_scale")->data = (float)(along / (double)s->logit_scale);
}

static enum mmk_status call(struct peer *peer, struct trial *trial)
{
    const struct buffer *x = trial_buffer(trial, "x"), *y = trial_buffer(trial, "y");
    struct rows rows_x = {x->data, x->ld}, rows_y = {y->data, y->ld};
    (void)peer;
    if (prepared.unit_x) {
        rows_normalize(prepared.threads, prepared.n, prepared.d, rows_x, prepared.unit_x,
                       prepared.over_norm_x);
        rows_normalize(prepared.threads, prepared.n, prepared.d, rows_y, prepared.unit_y,
                       prepared.over_norm_y);
        rows_x = (struct rows){prepared.unit_x, prepared.d};
        rows_y = (struct rows){prepared.unit_y, prepared.d};
    }
    forward(trial->shape.logit_scale, rows_x, rows_y);
    write_forward(trial);
    if (prepared.gradients)
        backward(trial, rows_x, rows_y);
    return MMK_OK;
}

const struct assembly assembled_infonce = {runs, prepare, call, free_prepared};

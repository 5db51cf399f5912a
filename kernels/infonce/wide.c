/* wide.c - every loss in double, where float has not the range.
 * SPDX-License-Identifier: MIT
 *
 * The register tile multiplies in float, and what it multiplies must stay in its range: logits, X
 * and Y with G, G itself, logit_scale with what is left. Inputs that are finite, but so great or so
 * small that they may not, come here: mmk.h's formulas as they stand, in double, which holds any
 * product of four floats. Logits are made again wherever they are needed, so that no memory is.
 *
 * O(m n d) in plain C, two times for a forward and six for all: some forty times the time of the
 * tile. Every sum is one row's, in order, so that neither instruction set nor threads show.
 */
#include "wide.h"

#include "../call/threads.h"
#include "../exp/lse.h"

#include <math.h>
#include <string.h>

/* ---- Who comes here -------------------------------------------------------------------------- */

/* The greatest finite element of a row, without its sign. */
static double greatest_element(size_t d, const float *row)
{
    float most = 0;
    for (size_t k = 0; k < d; k++)
        most = isfinite(row[k]) && fabsf(row[k]) > most ? fabsf(row[k]) : most;
    return (double)most;
}

/* Rows, and of each part of them the greatest square of a norm; where float has no such square, the
 * greatest element. */
struct norms {
    const struct infonce *p;
    const struct tile_operand *rows;
    double square[WIDE_ROWS], element[WIDE_ROWS];
};

static void some_norms(void *context, size_t worker, size_t workers)
{
    struct norms *norms = context;
    const struct infonce *p = norms->p;
    for (size_t part = worker; part < WIDE_ROWS; part += workers) {
        double most = 0, element = 0;
        size_t begin, end;
        threads_share(norms->rows->rows, part, WIDE_ROWS, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            const float *row = tile_operand_row(norms->rows, i);
            double square = (double)p->isa->pair->pair[MMK_DOT](p->d, row, row);
            if (square >= 0x1p-100 && square <= 0x1p125)
                most = fmax(most, square);
            else
                element = fmax(element, greatest_element(p->d, row));
        }
        norms->square[part] = most;
        norms->element[part] = element;
    }
}

/* The greatest norm of a row, but for what is Inf or NaN in it. */
static double greatest_norm(const struct infonce *p, const struct tile_operand *rows)
{
    struct norms norms = {.p = p, .rows = rows};
    double most = 0, element = 0;
    threads_run(p->threads, some_norms, &norms);
    for (size_t part = 0; part < WIDE_ROWS; part++) {
        most = fmax(most, norms.square[part]);
        element = fmax(element, norms.element[part]);
    }
    return fmax(sqrt(most), element * sqrt((double)p->d));
}

static bool within(double v, double low, double high)
{
    return v == 0 || (v >= low && v <= high);
}

bool infonce_scale_fits(double scale)
{
    return within(fabs(scale), 0x1p-80, 0x1p20);
}

/* What weighs a pair of each direction in G. */
struct weights {
    double x, y;
};

static struct weights weights_of(const struct infonce *p)
{
    const struct infonce_targets *t = &p->targets;
    double up = p->config.upstream;
    if (p->sigmoid.on)
        return (struct weights){up / (double)p->m, up / (double)p->m};
    return (struct weights){
        t->x.counted > 0 ? up * (double)p->config.weight_x / (double)t->x.counted : 0,
        t->y.counted > 0 ? up * (double)p->config.weight_y / (double)t->y.counted : 0};
}

/* The least that logits may be made of: what they have lost by then is 2^-62 of them. */
#define LOGITS_LEAST         0x1p-64
#define LOGITS_LEAST_UNIFORM 0x1p-12

/* In float, G is up to 2^24 by a power of two (weights.c), in sums of m or n below 2^32 with
 * elements up to 2^60, or with logits. What underflows there is made smaller by logit_scale, or
 * greater by a weight and an element of less than 2^24. Neither weight may be nothing beside the
 * other. Logits up to 2^64 are summed, 2^24 times, by the sigmoid loss; alpha y is at most 2^64
 * over the greatest of X, where that is not 0. Small logits are nothing beside 1, but not in sums
 * of G times logits; uniformity is a mean of logits where they are near 0; and with a great bias G
 * of the sigmoid loss is as small as 2^-|bias log2(e)|, times 2^24. */
bool infonce_wide_needed(const struct infonce *p)
{
    double s = (double)p->config.logit_scale, alpha = (double)p->alpha, logit = alpha, element = 1;
    struct weights w = weights_of(p);
    double weight = fmax(fabs(w.x), fabs(w.y)), lesser = fmin(fabs(w.x), fabs(w.y));
    if (!infonce_scale_fits(s * (weight > 0 ? weight : 1)) || !within(s, 0x1p-100, 0x1p100) ||
        !within(lesser, 0x1p-22 * weight, weight))
        return true;
    if (p->config.similarity != MMK_COSINE) {
        double x = greatest_norm(p, &p->x), y = greatest_norm(p, &p->y);
        bool distance = p->config.similarity == MMK_NEG_SQ_L2;
        double product = distance ? (x + y) * (x + y) : x * y;
        element = fmax(x, y);
        if (distance)
            x = y = element;
        if (!within(x, 0x1p-40, 0x1p60) || !within(y, 0x1p-40, 0x1p60) || product > 0x1p64)
            return true;
        logit = alpha * product;
        if (!distance && alpha * element > 0x1p120)
            return true;
    }
    double least = p->targets.none ? LOGITS_LEAST_UNIFORM : LOGITS_LEAST;
    if (p->sigmoid.on)
        least = fmax(least, lse_exp2(fmin(fabs(p->sigmoid.bias) * LSE_LOG2E - 126, 1000)));
    return weight * element > 0x1p24 || !within(logit, least, 0x1p64);
}

/* ---- Rows of one side against the other ------------------------------------------------------ */

enum kind { SOFTMAX, SIGMOID, PAIRS };

/* What G is made of. */
struct wide {
    const struct infonce *p;
    enum kind kind;
    struct weights weight;
    double scale, bias;
    const double *var_x, *var_y; /* NULL: none */
};

struct lines {
    const struct wide *w;
    const struct tile_operand *a, *b;
    const struct infonce_side *side; /* a's */
    bool of_x;                       /* a is X */
};

static struct lines lines_of(const struct wide *w, bool of_x)
{
    const struct infonce *p = w->p;
    return (struct lines){w, of_x ? &p->x : &p->y, of_x ? &p->y : &p->x,
                          of_x ? &p->targets.x : &p->targets.y, of_x};
}

/* e^v; 0 far below. */
static double exp_of(double v)
{
    double t = v * LSE_LOG2E;
    if (t >= -1000 && t <= 1000)
        return lse_exp2(t);
    return t < 0 ? 0 : t < 1023 ? lse_exp2(t - 100) * 0x1p100 : t != t ? t : INFINITY;
}

enum { LANES = 8 };

static inline double term(float u, float v, bool distance)
{
    double a = (double)u, b = (double)v;
    return distance ? (a - b) * (a - b) : a * b;
}

/* u.v, or |u - v|^2, in whole blocks of lanes: compilers vectorise them. */
static inline __attribute__((always_inline)) double product(size_t d, const float *u,
                                                            const float *v, bool distance)
{
    double lane[LANES] = {0}, sum = 0;
    size_t k = 0;
    for (; k + LANES <= d; k += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += term(u[k + l], v[k + l], distance);
    for (size_t l = 0; k + l < d; l++)
        lane[l] += term(u[k + l], v[k + l], distance);
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* 1 / |row|, 0 for a zero row and NaN for one with Inf, as pair/pair.h has it; 1 but for the
 * cosine. */
static double unit_of(const struct infonce *p, const struct tile_operand *rows, size_t r)
{
    if (p->config.similarity != MMK_COSINE)
        return 1;
    if (!(rows->scale[r].inverse > 0))
        return (double)rows->scale[r].inverse;
    const float *row = tile_operand_row(rows, r);
    return 1 / sqrt(product(p->d, row, row, false));
}

static double similarity(const struct lines *l, size_t i, size_t j)
{
    const struct infonce *p = l->w->p;
    const float *a = tile_operand_row(l->a, i), *b = tile_operand_row(l->b, j);
    if (p->config.similarity == MMK_NEG_SQ_L2)
        return 0 - product(p->d, a, b, true);
    return product(p->d, a, b, false) * (unit_of(p, l->a, i) * unit_of(p, l->b, j));
}

/* What j is to row i: a negative, a target with its entry, or left out. */
enum { NEGATIVE = -1, LEFT_OUT = -2 };

struct walk {
    size_t j, at; /* at: of the row's list */
};

static ptrdiff_t entry_of(const struct lines *l, size_t i, struct walk *walk)
{
    const struct infonce *p = l->w->p;
    size_t x = l->of_x ? i : walk->j, y = l->of_x ? walk->j : i;
    if (walk->at < l->side->start[i + 1] && l->side->index[walk->at] == walk->j)
        return (ptrdiff_t)l->side->entry[walk->at++];
    return p->targets.exclude_self && y == x + p->config.offset ? LEFT_OUT : NEGATIVE;
}

/* ---- Softmax --------------------------------------------------------------------------------- */

/* Of a row: log-sum-exp, its part of the loss, the sum of its softmax over the negatives. */
struct summed {
    double lse, loss, rest;
};

/* The negatives of a row are sum e^max. */
struct negatives {
    double max, sum;
    double above_one; /* sum of e^L - 1, where all |L| are small; else NaN */
};

static void add_negative(struct negatives *n, double logit)
{
    if (logit != logit || logit == INFINITY)
        n->sum = NAN;
    else if (logit > n->max) {
        n->sum = n->sum * exp_of(n->max - logit) + 1;
        n->max = logit;
    } else if (logit > -INFINITY)
        n->sum += exp_of(logit - n->max);
    double near = fabs(logit) <= 0x1p-6 ? logit : NAN; /* the series' next term: below 2^-30 */
    n->above_one += near * (1 + near / 2 * (1 + near / 3 * (1 + near / 4)));
}

static double softmax_of(double logit, double lse)
{
    return exp_of(logit > lse ? 0 : logit - lse); /* lse may be rounded */
}

/* lse and loss of a row with targets, as forward.c joins them. */
static void join_targets(const struct lines *l, size_t i, const struct negatives *n,
                         struct summed *s)
{
    const struct infonce_targets *t = &l->w->p->targets;
    size_t begin = l->side->start[i], end = l->side->start[i + 1], top = begin;
    double greatest = -INFINITY, others = 0, below = 0;
    for (size_t q = begin; q < end; q++) {
        double logit = l->w->scale * similarity(l, i, l->side->index[q]);
        if (logit > greatest || logit != logit) {
            greatest = logit;
            top = q;
        }
        if (greatest != greatest)
            break;
    }
    for (size_t q = begin; q < end && end - begin > 1 && greatest > -INFINITY; q++) {
        double down = greatest - l->w->scale * similarity(l, i, l->side->index[q]);
        others += q == top ? 0 : exp_of(-down);
        below += t->weight[l->side->entry[q]] / l->side->total[i] * down;
    }
    double distance = n->max - greatest, above = NAN;
    if (n->sum == 0 && greatest == -INFINITY) {
        s->lse = -INFINITY;
    } else {
        if (greatest < INFINITY)
            above = lse_minus_logit(distance * LSE_LOG2E, n->sum, others);
        s->lse = distance > 150 ? n->max + lse_log(n->sum) : greatest + above;
    }
    s->loss = above + below;
}

static struct summed sum_row(const struct lines *l, size_t i, const float *given)
{
    struct negatives n = {-INFINITY, 0, 0};
    struct summed s = {0, 0, 0};
    struct walk walk = {0, l->side->start[i]};
    if (given != NULL) /* but of further negatives, which do not count */
        s.lse = infonce_counts(&l->w->p->targets, l->side, i) ? (double)given[i] : 0;
    s.rest = s.lse == s.lse ? 0 : s.lse;
    for (; walk.j < l->b->rows; walk.j++) {
        if (entry_of(l, i, &walk) != NEGATIVE)
            continue;
        double logit = l->w->scale * similarity(l, i, walk.j);
        if (given != NULL)
            s.rest += softmax_of(logit, s.lse);
        else
            add_negative(&n, logit);
    }
    if (given != NULL)
        return s;
    if (l->side->start[i] == l->side->start[i + 1]) {
        double count = (double)l->b->rows, mean = n.above_one / count;
        s.lse = n.max + lse_log(n.sum);
        if (l->w->p->targets.none)
            s.loss = mean == mean ? lse_two_atanh(mean / (2 + mean)) : s.lse - lse_log(count);
    } else {
        join_targets(l, i, &n, &s);
    }
    if (n.sum != 0 || !(s.lse > -INFINITY)) /* of -Inf alone e^(-Inf + Inf) is NaN */
        s.rest = n.sum * exp_of(n.max - s.lse);
    return s;
}

/* A direction's part of G. */
static double softmax_part(const struct infonce *p, const struct infonce_side *side, size_t r,
                           ptrdiff_t entry, double weight, double lse, double rest, double logit)
{
    if (!infonce_counts(&p->targets, side, r))
        return 0;
    if (entry == LEFT_OUT)
        return lse == lse ? 0 : lse;
    if (entry >= 0 && side->start[r + 1] - side->start[r] == 1)
        return -weight * rest;
    double softmax = softmax_of(logit, lse);
    return weight * (entry >= 0 ? softmax - p->targets.weight[entry] / side->total[r] : softmax);
}

/* ---- G and the gradients --------------------------------------------------------------------- */

/* Of a row: sum_j G_ij sim_ij, sum_j G_ij, and of the sigmoid loss its part. */
struct row_sums {
    double along, g, loss;
};

/* G of row i and j, and what it adds to the loss. */
static double g_of(const struct lines *l, size_t i, size_t j, ptrdiff_t entry, double sim,
                   double *loss)
{
    const struct wide *w = l->w;
    const struct infonce *p = w->p;
    size_t x = l->of_x ? i : j, y = l->of_x ? j : i;
    double logit = w->scale * sim;
    if (w->kind == PAIRS)
        return w->weight.x;
    if (w->kind == SOFTMAX)
        return softmax_part(p, &p->targets.x, x, entry, w->weight.x, p->softmax.lse2_x[x],
                            p->softmax.row_factor[x], logit) +
               softmax_part(p, &p->targets.y, y, entry, w->weight.y, p->softmax.lse2_y[y],
                            p->softmax.col_factor[y], logit);
    if (w->var_x != NULL)
        logit -= w->scale * (w->var_x[x] + w->var_y[y]);
    logit += w->bias;
    double up = entry >= 0 ? -logit : logit, e = exp_of(-fabs(up));
    *loss += (up > 0 ? up : 0) + lse_log1p(e);
    return (entry >= 0 ? -w->weight.x : w->weight.x) * ((up < 0 ? e : 1) / (1 + e));
}

/* Row i, and its gradient where out is not NULL, WIDE_CHUNK elements at a time; pairs have one
 * j. */
static struct row_sums gradient_row(const struct lines *l, size_t i, float *out)
{
    const struct wide *w = l->w;
    enum mmk_similarity kind = w->p->config.similarity;
    const float *a = tile_operand_row(l->a, i);
    size_t d = w->p->d, first = w->kind == PAIRS ? i : 0,
           end = w->kind == PAIRS ? i + 1 : l->b->rows;
    double unit = unit_of(w->p, l->a, i), factor = w->scale * (kind == MMK_NEG_SQ_L2 ? 2 : unit);
    struct row_sums sums;
    size_t k = 0;
    do {
        double v[WIDE_CHUNK] = {0};
        size_t count = size_min(d - k, WIDE_CHUNK);
        struct walk walk = {first, w->kind == PAIRS ? 0 : l->side->start[i]};
        sums = (struct row_sums){0, 0, 0};
        for (; walk.j < end; walk.j++) {
            ptrdiff_t entry = w->kind == PAIRS ? NEGATIVE : entry_of(l, i, &walk);
            double sim = entry == LEFT_OUT ? 0 : similarity(l, i, walk.j);
            double g = g_of(l, i, walk.j, entry, sim, &sums.loss);
            if (entry == LEFT_OUT && g == 0) /* else the row's or the column's lse is NaN */
                continue;
            sums.along += g * sim;
            sums.g += g;
            if (out == NULL)
                continue;
            const float *b = tile_operand_row(l->b, walk.j);
            double gb = g * unit_of(w->p, l->b, walk.j);
            for (size_t c = 0; c < count; c++)
                v[c] += kind == MMK_NEG_SQ_L2 ? g * ((double)b[k + c] - (double)a[k + c])
                                              : gb * (double)b[k + c];
        }
        for (size_t c = 0; out != NULL && c < count; c++) {
            double along = kind == MMK_COSINE ? (double)a[k + c] * unit * sums.along : 0;
            out[k + c] = simd_canonical_nan((float)(factor * (v[c] - along)));
        }
        k += WIDE_CHUNK;
    } while (out != NULL && k < d);
    return sums;
}

/* Row i of a gradient; the rows of dY are followed by those of the further negatives. */
static float *row_at(const struct infonce *p, const struct gradients *out, bool of_x, size_t i)
{
    const struct args_out *to = of_x ? &out->x : i < p->own ? &out->y : &out->negatives;
    size_t row = of_x || i < p->own ? i : i - p->own;
    return to->data != NULL ? to->data + row * to->ld : NULL;
}

struct sums_share {
    const struct lines *l;
    size_t first, count;
    const float *given;
    struct summed *sums;
};

static void sums_task(void *context, size_t r)
{
    const struct sums_share *share = context;
    share->sums[r] = sum_row(share->l, share->first + r, share->given);
}

static void some_sums(void *context, size_t worker, size_t workers)
{
    (void)worker;
    threads_each(workers, ((const struct sums_share *)context)->count, sums_task, context);
}

/* Softmaxes of one side; returns the sum of its loss. */
static double sum_side(const struct lines *l, const float *given, float *lse)
{
    const struct infonce *p = l->w->p;
    double loss = 0, *known = l->of_x ? p->softmax.lse2_x : p->softmax.lse2_y;
    double *rest = l->of_x ? p->softmax.row_factor : p->softmax.col_factor;
    for (size_t first = 0; first < l->a->rows; first += WIDE_ROWS) {
        struct summed sums[WIDE_ROWS];
        size_t count = size_min(l->a->rows - first, WIDE_ROWS);
        threads_run(p->threads, some_sums, &(struct sums_share){l, first, count, given, sums});
        for (size_t r = 0; r < count; r++) {
            size_t i = first + r;
            loss += sums[r].loss;
            if (lse != NULL && (l->of_x || i < p->own))
                lse[i] = simd_canonical_nan((float)sums[r].lse);
            if (known != NULL) {
                known[i] = sums[r].lse;
                rest[i] = sums[r].rest;
            }
        }
    }
    return loss;
}

struct gradients_share {
    const struct lines *l;
    size_t first, count;
    const struct gradients *out;
    struct row_sums *sums;
};

static void gradients_task(void *context, size_t r)
{
    const struct gradients_share *share = context;
    const struct lines *l = share->l;
    size_t i = share->first + r;
    share->sums[r] = gradient_row(l, i, row_at(l->w->p, share->out, l->of_x, i));
}

static void some_gradients(void *context, size_t worker, size_t workers)
{
    (void)worker;
    threads_each(workers, ((const struct gradients_share *)context)->count, gradients_task,
                 context);
}

/* Gradients of one side; adds up what its rows have. log_var and dlog_var: NULL for none. */
static struct row_sums gradient_side(const struct lines *l, const struct gradients *out,
                                     const struct args_rows *log_var,
                                     const struct args_out *dlog_var)
{
    const struct infonce *p = l->w->p;
    const double *var = l->of_x ? l->w->var_x : l->w->var_y;
    struct row_sums total = {0, 0, 0};
    for (size_t first = 0; first < l->a->rows; first += WIDE_ROWS) {
        struct row_sums sums[WIDE_ROWS];
        size_t count = size_min(l->a->rows - first, WIDE_ROWS);
        threads_run(p->threads, some_gradients,
                    &(struct gradients_share){l, first, count, out, sums});
        for (size_t r = 0; r < count; r++) {
            double by_scale = l->of_x ? sums[r].along : 0;
            if (var != NULL && sums[r].g != 0) /* 0 however great the variance is */
                by_scale -= sums[r].g * var[first + r];
            total.along += by_scale;
            total.g += sums[r].g;
            total.loss += sums[r].loss;
            for (size_t k = 0; dlog_var != NULL && dlog_var->data != NULL && k < p->d; k++) {
                double by_var = l->w->scale * sums[r].g;
                by_var *=
                    by_var != 0 ? -exp_of((double)log_var->data[(first + r) * log_var->ld + k]) : 0;
                dlog_var->data[(first + r) * dlog_var->ld + k] = simd_canonical_nan((float)by_var);
            }
        }
    }
    return total;
}

static void put(float *result, double value)
{
    if (result != NULL)
        *result = simd_canonical_nan((float)value);
}

void infonce_wide_softmax(struct infonce *p, const float *given_x, const float *given_y,
                          const struct infonce_wide_results *results)
{
    struct wide w = {
        .p = p, .kind = SOFTMAX, .scale = (double)p->config.logit_scale, .weight = weights_of(p)};
    struct lines x = lines_of(&w, true), y = lines_of(&w, false);
    double loss_x = sum_side(&x, given_x, results->lse_x) / (double)p->targets.x.counted;
    double loss_y = sum_side(&y, given_y, results->lse_y) / (double)p->targets.y.counted;
    put(results->loss, (p->targets.x.counted > 0 ? (double)p->config.weight_x * loss_x : 0) +
                           (p->targets.y.counted > 0 ? (double)p->config.weight_y * loss_y : 0));
    if (p->wanted.rows || p->wanted.dlogit_scale)
        put(results->dlogit_scale, gradient_side(&x, &results->out, NULL, NULL).along);
    if (results->out.y.data != NULL || results->out.negatives.data != NULL)
        gradient_side(&y, &results->out, NULL, NULL);
}

void infonce_wide_sigmoid(const struct infonce *p, double bias, const struct args_rows *log_var_x,
                          const struct args_rows *log_var_y,
                          const struct infonce_wide_results *results)
{
    struct wide w = {.p = p,
                     .kind = SIGMOID,
                     .scale = (double)p->config.logit_scale,
                     .weight = weights_of(p),
                     .bias = bias,
                     .var_x = log_var_x != NULL ? p->sigmoid.var_x : NULL,
                     .var_y = log_var_y != NULL ? p->sigmoid.var_y : NULL};
    struct lines x = lines_of(&w, true), y = lines_of(&w, false);
    struct row_sums sums = gradient_side(&x, &results->out, log_var_x, &results->dlog_variance_x);
    put(results->loss, sums.loss / (double)p->m);
    put(results->dbias, sums.g);
    if (results->out.y.data != NULL || log_var_y != NULL)
        sums.along += gradient_side(&y, &results->out, log_var_y, &results->dlog_variance_y).along;
    put(results->dlogit_scale, sums.along);
}

double infonce_wide_pair(const struct infonce *p, size_t i, double weight, float *dx, float *dy)
{
    struct wide w = {
        .p = p, .kind = PAIRS, .scale = (double)p->config.logit_scale, .weight = {weight, weight}};
    struct lines x = lines_of(&w, true), y = lines_of(&w, false);
    if (dx != NULL)
        gradient_row(&x, i, dx);
    if (dy != NULL)
        gradient_row(&y, i, dy);
    return similarity(&x, i, i);
}

double infonce_wide_sum_exp(size_t count, const float *v)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += exp_of((double)v[k]);
    return sum;
}

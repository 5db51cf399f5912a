/* exact.c - a loss and its gradients in double, in memory O(m + n) beside rows and gradients.
 * SPDX-License-Identifier: MIT
 *
 * The long side is taken in tiles of rows against all of the short side: InfoNCE and uniformity go
 * over them twice, for the log-sum-exps and for the gradients, the sigmoid loss once. Tiles are
 * gathered in CHUNKS chunks, which threads share out, and whose sums are joined in order.
 */
#include "exact.h"

#include "../../ref/cases.h"
#include "../../ref/matmul.h"
#include "../../ref/similarity_ref.h"
#include "../base/console.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 128, CHUNKS = 64 };

/* A side of the problem: its rows, and what comes out for them. */
struct side {
    size_t rows;
    const float *data;
    double *lse, *gradient;
};

struct evaluation {
    const struct problem *problem;
    bool own_logits, x_long;
    struct side at_short, at_long;
    double *units, *norms; /* of the short side: the rows that are multiplied */
    double *total;         /* of the short side: sum of e^L over the long one */
    struct chunk *chunks;
};

/* What the tiles of a chunk add up to. */
struct chunk {
    double *total;    /* a row of the short side each: sum of e^L, */
    double *g;        /* of G, */
    double *gradient; /* and of G times the rows of the long side */
    double loss, dscale, dbias;
};

/* A tile's memory, a thread each. Matrices have a row for each of the short side. */
struct tile {
    size_t first, rows;
    double *rows_of, *units, *turned, *norms; /* of the long side */
    float *floats;
    double *sim, *g, *turned_g;
    double *total, *g_sums; /* a row of the long side each */
    double *product;
};

size_t exact_roundings(size_t m, size_t n, size_t d)
{
    size_t tiles = ((m > n ? m : n) + TILE - 1) / TILE;
    return d + TILE + least(m, n) + (tiles + CHUNKS - 1) / CHUNKS + CHUNKS;
}

static void multiplied_rows(const struct problem *p, size_t rows, const double *in, double *out,
                            double *norms)
{
    if (p->similarity == MMK_COSINE)
        similarity_ref_normalize(rows, p->d, in, out, norms);
    else
        memcpy(out, in, rows * p->d * sizeof *out);
    for (size_t i = 0; i < rows && p->similarity == MMK_NEG_SQ_L2; i++) {
        norms[i] = 0; /* squared */
        for (size_t k = 0; k < p->d; k++)
            norms[i] += in[i * p->d + k] * in[i * p->d + k];
    }
}

/* ---- A tile's similarities ------------------------------------------------------------------- */

static void tile_open(struct tile *t, size_t others, size_t d)
{
    *t = (struct tile){.rows_of = ref_doubles(TILE * d),
                       .units = ref_doubles(TILE * d),
                       .turned = ref_doubles(TILE * d),
                       .norms = ref_doubles(TILE),
                       .floats = ref_zeros(others * TILE, sizeof(float)),
                       .sim = ref_doubles(others * TILE),
                       .g = ref_doubles(others * TILE),
                       .turned_g = ref_doubles(others * TILE),
                       .total = ref_doubles(TILE),
                       .g_sums = ref_doubles(TILE),
                       .product = ref_doubles((others > TILE ? others : TILE) * d)};
}

static void tile_close(struct tile *t)
{
    free(t->rows_of);
    free(t->units);
    free(t->turned);
    free(t->norms);
    free(t->floats);
    free(t->sim);
    free(t->g);
    free(t->turned_g);
    free(t->total);
    free(t->g_sums);
    free(t->product);
}

/* mmk_similarity_matrix is asked for X times Y, as the losses make it. */
static void own_similarities(const struct evaluation *v, struct tile *t)
{
    const struct problem *p = v->problem;
    size_t others = v->at_short.rows;
    const struct mmk_matrix tile = {.data = v->at_long.data + t->first * p->d,
                                    .rows = t->rows,
                                    .columns = p->d},
                            all = {.data = v->at_short.data, .rows = others, .columns = p->d};
    const struct mmk_matrix *x = v->x_long ? &tile : &all, *y = v->x_long ? &all : &tile;
    const struct mmk_matrix_out result = {.data = t->floats, .rows = x->rows, .columns = y->rows};
    must_be_good(
        mmk_similarity_matrix(p->similarity, x, y, &result, &(struct mmk_options){.threads = 1}),
        "mmk_similarity_matrix");
    for (size_t i = 0; i < others; i++)
        for (size_t j = 0; j < t->rows; j++)
            t->sim[i * t->rows + j] =
                (double)(v->x_long ? t->floats[j * others + i] : t->floats[i * t->rows + j]);
}

static void exact_similarities(const struct evaluation *v, struct tile *t)
{
    const struct problem *p = v->problem;
    size_t others = v->at_short.rows;
    ref_transpose(t->rows, p->d, t->units, t->turned);
    ref_matmul(others, p->d, t->rows, v->units, NULL, t->turned, t->sim, NULL);
    for (size_t i = 0; i < others && p->similarity == MMK_NEG_SQ_L2; i++)
        for (size_t j = 0; j < t->rows; j++)
            t->sim[i * t->rows + j] =
                fmin(0, 2 * t->sim[i * t->rows + j] - v->norms[i] - t->norms[j]);
}

static void tile_take(const struct evaluation *v, struct tile *t, size_t number)
{
    const struct problem *p = v->problem;
    t->first = number * TILE;
    t->rows = least(TILE, v->at_long.rows - t->first);
    ref_from_float(t->rows, p->d, v->at_long.data + t->first * p->d, p->d, t->rows_of);
    multiplied_rows(p, t->rows, t->rows_of, t->units, t->norms);
    if (v->own_logits)
        own_similarities(v, t);
    else
        exact_similarities(v, t);
}

/* ---- Log-sum-exps ---------------------------------------------------------------------------- */

/* e^L of the tile into t->g, and what they add up to by rows of the long side, and of the short one
 * (added to totals, which may be NULL). */
static void tile_exponentials(const struct evaluation *v, struct tile *t, double *totals)
{
    double scale = (double)v->problem->scale;
    memset(t->total, 0, TILE * sizeof *t->total);
    for (size_t i = 0; i < v->at_short.rows; i++) {
        double *e = t->g + i * t->rows, sum = 0;
        for (size_t j = 0; j < t->rows; j++) {
            e[j] = exp(scale * t->sim[i * t->rows + j]);
            t->total[j] += e[j];
            sum += e[j];
        }
        if (totals)
            totals[i] += sum;
    }
}

static void tile_forward(const struct evaluation *v, struct chunk *c, struct tile *t)
{
    tile_exponentials(v, t, c->total);
    for (size_t j = 0; j < t->rows; j++)
        v->at_long.lse[t->first + j] = log(t->total[j]);
}

static void join_forward(const struct evaluation *v)
{
    for (size_t i = 0; i < v->at_short.rows; i++) {
        v->total[i] = 0;
        for (size_t c = 0; c < CHUNKS; c++)
            v->total[i] += v->chunks[c].total[i];
        v->at_short.lse[i] = log(v->total[i]);
    }
}

/* ---- G --------------------------------------------------------------------------------------- */

/* Whether y belongs to x, rows i of the short and j of the long side. */
static bool belongs(const struct evaluation *v, size_t i, size_t j)
{
    size_t x = v->x_long ? j : i, y = v->x_long ? i : j;
    return y == x % v->problem->n;
}

static void tile_softmax(const struct evaluation *v, struct chunk *c, struct tile *t)
{
    const struct problem *p = v->problem;
    double share = 1 / (double)p->m, loss = 0;
    tile_exponentials(v, t, NULL);
    for (size_t i = 0; i < v->at_short.rows; i++)
        for (size_t j = 0; j < t->rows; j++) {
            double *g = &t->g[i * t->rows + j];
            *g *= share / (v->x_long ? t->total[j] : v->total[i]);
            if (p->loss == LOSS_INFONCE && belongs(v, i, t->first + j)) {
                double lse = v->x_long ? v->at_long.lse[t->first + j] : v->at_short.lse[i];
                loss += lse - (double)p->scale * t->sim[i * t->rows + j];
                *g -= share;
            }
        }
    for (size_t j = 0; j < t->rows && p->loss == LOSS_UNIFORMITY && v->x_long; j++)
        loss += v->at_long.lse[t->first + j] - log((double)p->n);
    c->loss += share * loss;
}

static void tile_sigmoid(const struct evaluation *v, struct chunk *c, struct tile *t)
{
    const struct problem *p = v->problem;
    double share = 1 / (double)p->m, losses = 0, sums = 0;
    for (size_t i = 0; i < v->at_short.rows; i++) {
        double loss = 0, sum = 0;
        for (size_t j = 0; j < t->rows; j++) {
            double logit = (double)p->scale * t->sim[i * t->rows + j] + (double)p->bias;
            double z = belongs(v, i, t->first + j) ? 1 : -1, w = -z * logit;
            double e = exp(-fabs(w)), g = -z * share * (w > 0 ? 1 : e) / (1 + e);
            loss += fmax(w, 0) + log1p(e);
            sum += g;
            t->g[i * t->rows + j] = g;
        }
        losses += loss;
        sums += sum;
    }
    c->loss += share * losses;
    c->dbias += sums;
}

/* ---- Gradients ------------------------------------------------------------------------------- */

/* v = sum_j G_ij b_j becomes the gradient of a_i, whose G sum up to g. */
static void finish_row(const struct problem *p, const double *a, double norm, double g, double *v)
{
    double scale = (double)p->scale, along = 0;
    for (size_t k = 0; k < p->d && p->similarity == MMK_COSINE; k++)
        along += v[k] * a[k];
    for (size_t k = 0; k < p->d; k++)
        v[k] = p->similarity == MMK_DOT      ? scale * v[k]
               : p->similarity == MMK_COSINE ? scale / norm * (v[k] - along * a[k])
                                             : -2 * scale * (g * a[k] - v[k]);
}

static void tile_gradients(const struct evaluation *v, struct chunk *c, struct tile *t)
{
    size_t d = v->problem->d, others = v->at_short.rows;
    double with_sims = 0;
    memset(t->g_sums, 0, TILE * sizeof *t->g_sums);
    for (size_t i = 0; i < others; i++) {
        double with_sim = 0, sum = 0;
        for (size_t j = 0; j < t->rows; j++) {
            double g = t->g[i * t->rows + j];
            with_sim += g * t->sim[i * t->rows + j];
            sum += g;
            t->g_sums[j] += g;
        }
        with_sims += with_sim;
        c->g[i] += sum;
    }
    c->dscale += with_sims;
    ref_matmul(others, t->rows, d, t->g, NULL, t->units, t->product, NULL);
    for (size_t e = 0; e < others * d; e++)
        c->gradient[e] += t->product[e];
    double *gradient = v->at_long.gradient + t->first * d;
    ref_transpose(others, t->rows, t->g, t->turned_g);
    ref_matmul(t->rows, others, d, t->turned_g, NULL, v->units, gradient, NULL);
    for (size_t j = 0; j < t->rows; j++)
        finish_row(v->problem, t->units + j * d, t->norms[j], t->g_sums[j], gradient + j * d);
}

static void tile_backward(const struct evaluation *v, struct chunk *c, struct tile *t)
{
    if (v->problem->loss == LOSS_SIGMOID)
        tile_sigmoid(v, c, t);
    else
        tile_softmax(v, c, t);
    tile_gradients(v, c, t);
}

static void join_backward(const struct evaluation *v, struct exact *out)
{
    const struct problem *p = v->problem;
    size_t d = p->d;
    memset(v->at_short.gradient, 0, v->at_short.rows * d * sizeof(double));
    for (size_t c = 0; c < CHUNKS; c++) {
        out->loss += v->chunks[c].loss;
        out->dscale += v->chunks[c].dscale;
        out->dbias += v->chunks[c].dbias;
    }
    for (size_t i = 0; i < v->at_short.rows; i++) {
        double g = 0, *gradient = v->at_short.gradient + i * d;
        for (size_t c = 0; c < CHUNKS; c++) {
            g += v->chunks[c].g[i];
            for (size_t k = 0; k < d; k++)
                gradient[k] += v->chunks[c].gradient[i * d + k];
        }
        finish_row(p, v->units + i * d, v->norms[i], g, gradient);
    }
    for (size_t i = 0; i < p->m && p->loss == LOSS_UNIFORMITY && !v->x_long; i++)
        out->loss += (out->lse_x[i] - log((double)p->n)) / (double)p->m;
}

/* ---- All of it ------------------------------------------------------------------------------- */

typedef void tile_work(const struct evaluation *v, struct chunk *c, struct tile *t);

static void for_all_tiles(const struct evaluation *v, tile_work *work, int threads)
{
    size_t tiles = (v->at_long.rows + TILE - 1) / TILE;
#pragma omp parallel num_threads(threads)
    {
        struct tile tile;
        tile_open(&tile, v->at_short.rows, v->problem->d);
#pragma omp for schedule(dynamic)
        for (size_t c = 0; c < CHUNKS; c++)
            for (size_t t = tiles * c / CHUNKS; t < tiles * (c + 1) / CHUNKS; t++) {
                tile_take(v, &tile, t);
                work(v, &v->chunks[c], &tile);
            }
        tile_close(&tile);
    }
}

void exact_open(struct exact *e, size_t m, size_t n, size_t d)
{
    *e = (struct exact){.lse_x = ref_doubles(m),
                        .lse_y = ref_doubles(n),
                        .dx = ref_doubles(m * d),
                        .dy = ref_doubles(n * d)};
}

void exact_close(struct exact *e)
{
    free(e->lse_x);
    free(e->lse_y);
    free(e->dx);
    free(e->dy);
}

void exact_evaluate(struct exact *e, const struct problem *p, bool own_logits, int threads)
{
    const struct side x = {p->m, p->x, e->lse_x, e->dx}, y = {p->n, p->y, e->lse_y, e->dy};
    bool x_long = p->m > p->n;
    size_t others = x_long ? p->n : p->m;
    struct chunk chunks[CHUNKS];
    struct evaluation v = {.problem = p,
                           .own_logits = own_logits,
                           .x_long = x_long,
                           .at_short = x_long ? y : x,
                           .at_long = x_long ? x : y,
                           .units = ref_doubles(others * p->d),
                           .norms = ref_doubles(others),
                           .total = ref_doubles(others),
                           .chunks = chunks};
    for (size_t c = 0; c < CHUNKS; c++)
        chunks[c] = (struct chunk){.total = ref_doubles(others),
                                   .g = ref_doubles(others),
                                   .gradient = ref_doubles(others * p->d)};
    double *rows = ref_doubles(others * p->d);
    ref_from_float(others, p->d, v.at_short.data, p->d, rows);
    multiplied_rows(p, others, rows, v.units, v.norms);
    free(rows);
    e->loss = e->dscale = e->dbias = 0;
    if (p->loss != LOSS_SIGMOID) {
        for_all_tiles(&v, tile_forward, threads);
        join_forward(&v);
    }
    for_all_tiles(&v, tile_backward, threads);
    join_backward(&v, e);
    for (size_t c = 0; c < CHUNKS; c++) {
        free(chunks[c].total);
        free(chunks[c].g);
        free(chunks[c].gradient);
    }
    free(v.units);
    free(v.norms);
    free(v.total);
}

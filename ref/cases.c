/* cases.c - the list of kernels, and what they share: the fills, names, texts of shapes.
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include "half.h"
#include "matmul.h"
#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line a kernel, in the order of the tables. */
const struct kernel *const kernels[] = {
    &kernel_dot_pair,
    &kernel_cosine_pair,
    &kernel_neg_sq_l2_pair,
    &kernel_dot_rows,
    &kernel_cosine_rows,
    &kernel_neg_sq_l2_rows,
    &kernel_dot_query,
    &kernel_cosine_query,
    &kernel_cosine_query_norms,
    &kernel_neg_sq_l2_query,
    &kernel_dot_matrix,
    &kernel_cosine_matrix,
    &kernel_neg_sq_l2_matrix,
    &kernel_dot_matrix_f16,
    &kernel_cosine_matrix_f16,
    &kernel_neg_sq_l2_matrix_f16,
    &kernel_dot_matrix_bf16,
    &kernel_cosine_matrix_bf16,
    &kernel_neg_sq_l2_matrix_bf16,
    &kernel_dot_matrix_i8,
    &kernel_scaled_dot_matrix_i8,
    &kernel_cosine_matrix_i8,
    &kernel_neg_sq_l2_matrix_i8,
    &kernel_squared_norms,
    &kernel_normalize_rows,
    &kernel_quantize_rows,
    &kernel_dot_pair_i8,
    &kernel_scaled_dot_pair_i8,
    &kernel_cosine_pair_i8,
    &kernel_neg_sq_l2_pair_i8,
    &kernel_dot_query_i8,
    &kernel_scaled_dot_query_i8,
    &kernel_cosine_query_i8,
    &kernel_neg_sq_l2_query_i8,
    &kernel_dot_pair_f16,
    &kernel_cosine_pair_f16,
    &kernel_neg_sq_l2_pair_f16,
    &kernel_dot_query_f16,
    &kernel_cosine_query_f16,
    &kernel_cosine_query_norms_f16,
    &kernel_neg_sq_l2_query_f16,
    &kernel_squared_norms_f16,
    &kernel_normalize_rows_f16,
    &kernel_normalize_rows_bf16,
    &kernel_dot_pair_bf16,
    &kernel_cosine_pair_bf16,
    &kernel_neg_sq_l2_pair_bf16,
    &kernel_dot_query_bf16,
    &kernel_cosine_query_bf16,
    &kernel_cosine_query_norms_bf16,
    &kernel_neg_sq_l2_query_bf16,
    &kernel_squared_norms_bf16,
    &kernel_infonce_forward,
    &kernel_infonce_backward,
    &kernel_infonce_forward_backward,
    &kernel_infonce_negatives_forward_backward,
    &kernel_multi_infonce_forward,
    &kernel_multi_infonce_backward,
    &kernel_multi_infonce_forward_backward,
    &kernel_sigmoid_forward,
    &kernel_sigmoid_forward_backward,
    &kernel_csd_sigmoid_forward_backward,
    &kernel_uniformity_forward,
    &kernel_uniformity_forward_backward,
    &kernel_alignment_forward_backward,
    &kernel_exp,
    &kernel_logsumexp,
    &kernel_topk,
    &kernel_topk_rows,
    &kernel_gallery_matrix,
    &kernel_search,
    &kernel_search_both,
    &kernel_gallery_search,
    &kernel_coded_search,
    &kernel_search_f16,
    &kernel_search_bf16,
    &kernel_coded_search_f16,
    &kernel_retrieval_metrics,
};
const size_t kernel_count = sizeof kernels / sizeof kernels[0];

const char *kernel_lacks(const struct kernel *k)
{
    const struct {
        const char *name;
        bool there;
    } fields[] = {
        {"name", k->name != NULL},
        {"rooms", k->rooms != NULL},
        {"family", k->family != NULL},
        {"formula", k->formula != NULL},
        {"dims", k->dims != NULL},
        {"layout", k->layout != NULL},
        {"call", k->call != NULL},
        {"oracle", k->oracle != NULL},
        {"flops", k->flops != NULL},
        {"bytes", k->bytes != NULL},
        {"sweep", k->sweep != NULL},
        {"bench", k->bench != NULL && k->bench_count > 0},
        {"release", k->release != NULL || k->prepare == NULL},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!fields[i].there)
            return fields[i].name;
    return NULL;
}

const char *fill_name(enum fill fill)
{
    static const char *const names[FILL_COUNT] = {
        [FILL_NORMAL] = "normal",
        [FILL_POSITIVE] = "positive",
        [FILL_INTEGER] = "integer",
        [FILL_UNIT_ROWS] = "unit_rows",
        [FILL_DUPLICATES] = "duplicates",
        [FILL_TIES] = "ties",
        [FILL_ZERO_ROWS] = "zero_rows",
        [FILL_TINY] = "tiny",
        [FILL_HUGE] = "huge",
        [FILL_DENORMAL] = "denormal",
        [FILL_INF] = "inf",
        [FILL_NAN_FIRST] = "nan_first",
        [FILL_NAN_LAST] = "nan_last",
        [FILL_NAN_TAIL] = "nan_tail",
        [FILL_ALIGNED] = "aligned",
        [FILL_MEAN_10] = "mean_10",
        [FILL_MEAN_1000] = "mean_1000",
        [FILL_ASCENDING] = "ascending",
        [FILL_DESCENDING] = "descending",
        [FILL_CONSTANT] = "constant",
        [FILL_SAWTOOTH] = "sawtooth",
        [FILL_ORGAN_PIPE] = "organ_pipe",
        [FILL_SPIKES] = "spikes",
        [FILL_OUTLIERS] = "outliers",
        [FILL_MOST_NAN] = "most_nan",
        [FILL_MOST_INF] = "most_inf",
        [FILL_EQUAL_ROWS] = "equal_rows",
        [FILL_MAGNITUDES] = "magnitudes",
        [FILL_SPECIALS] = "specials",
        [FILL_GIVEN] = "given",
    };
    return (unsigned)fill < FILL_COUNT ? names[fill] : NULL;
}

const char *similarity_name(enum mmk_similarity similarity)
{
    static const char *const names[MMK_SIMILARITY_COUNT] = {
        [MMK_DOT] = "dot", [MMK_COSINE] = "cosine", [MMK_NEG_SQ_L2] = "neg_sq_l2"};
    return (unsigned)similarity < MMK_SIMILARITY_COUNT ? names[similarity] : NULL;
}

bool fill_fits(const struct kernel *kernel, const struct shape *shape, enum fill fill)
{
    return kernel->fill_fits ? kernel->fill_fits(shape, fill) : fill_is_of_rows(fill);
}

const struct kernel *kernel_find(const char *name)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (strcmp(kernels[i]->name, name) == 0)
            return kernels[i];
    return NULL;
}

size_t shape_size(const struct kernel *kernel, const struct shape *shape, char dim)
{
    return dim == 'm'              ? shape->m
           : dim == 'n'            ? shape->n
           : dim == 'd'            ? shape->d
           : kernel->has_positives ? shape->positives
                                   : shape->k;
}

bool shape_has_similarity(const struct kernel *kernel)
{
    return kernel->similarity == SIMILARITY_FROM_SHAPE;
}

void shape_format(const struct kernel *kernel, const struct shape *shape, char *text, size_t size)
{
    char out[256];
    int used = 0;
    for (const char *dim = kernel->dims; *dim; dim++)
        used += snprintf(out + used, sizeof out - (size_t)used, "%s%zu",
                         dim == kernel->dims ? "" : "x", shape_size(kernel, shape, *dim));
    if (shape_has_similarity(kernel))
        used += snprintf(out + used, sizeof out - (size_t)used, " %s",
                         similarity_name(shape->similarity));
    if (kernel->has_logit_scale) {
        used +=
            snprintf(out + used, sizeof out - (size_t)used, " s=%g", (double)shape->logit_scale);
        if (shape->weight_x != 0 || shape->weight_y != 0) /* the sigmoid loss has none */
            used += snprintf(out + used, sizeof out - (size_t)used, " w=%g,%g",
                             (double)shape->weight_x, (double)shape->weight_y);
        if (shape->offset)
            used += snprintf(out + used, sizeof out - (size_t)used, " offset=%zu", shape->offset);
    }
    if (shape->negatives)
        used += snprintf(out + used, sizeof out - (size_t)used, " q=%zu", shape->negatives);
    if (shape->positives && !kernel->has_positives)
        used += snprintf(out + used, sizeof out - (size_t)used, " k=%zu", shape->positives);
    if (shape->upstream != 0)
        used += snprintf(out + used, sizeof out - (size_t)used, " upstream=%g",
                         (double)shape->upstream);
    if (shape->ld_extra)
        used += snprintf(out + used, sizeof out - (size_t)used, " ld+%zu", shape->ld_extra);
    snprintf(text, size, "%s", out);
}

/* ---- Random numbers: a hash of (stream, index), so that order and threads do not matter ---- */

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t fill_hash(uint64_t stream, uint64_t index)
{
    return mix(stream + mix(index));
}

/* Near enough to N(0,1): the sum of four uniform 16-bit numbers, with variance 1. Integer
 * arithmetic and one multiplication, because log and cos of a C library differ from machine to
 * machine. */
double fill_normal(uint64_t stream, uint64_t index)
{
    uint64_t h = fill_hash(stream, index);
    int64_t sum = (int64_t)((h & 0xffff) + ((h >> 16) & 0xffff) + ((h >> 32) & 0xffff) + (h >> 48));
    return (double)(sum - 2 * 65535) * (1.7320508075688772 / 65536.0);
}

uint64_t fill_stream(const struct trial *trial, const char *name)
{
    uint64_t stream = mix(trial->seed);
    for (; *name; name++)
        stream = mix(stream ^ (unsigned char)*name);
    return stream;
}

/* ---- The common fill of rows ----------------------------------------------------------------- */

/* NaN as it may come in from anywhere: quiet and signalling, either sign, with a payload. */
static void put_nan(float *at, uint64_t h)
{
    static const uint32_t patterns[] = {0x7fc00000u, 0xffc12345u, 0x7f800001u, 0xffffffffu};
    memcpy(at, &patterns[h % 4], sizeof *at);
}

/* Magnitudes that f16 has not are others there: denormal are its own, tiny ones nearly so. */
static double element(enum fill fill, bool f16, bool one_sign, uint64_t stream, size_t cols,
                      size_t i, size_t k)
{
    double g = fill_normal(stream, i * cols + k);
    double scale = cols ? 1 / sqrt((double)cols) : 1;
    uint64_t h = fill_hash(~stream, i * cols + k);
    static const double ties[] = {-1, -0.5, -0.0, 0, 0.5, 1};
    switch (fill) {
    case FILL_POSITIVE:
        return (0.25 + fabs(g)) * scale;
    case FILL_INTEGER:
        return h & 64 ? (double)((int)(h % 7) - 3) : ldexp(h & 128 ? 1 : -1, (int)(h % 4));
    case FILL_TIES:
        return ties[h % 6];
    case FILL_TINY:
        return g * (f16 ? 1e-4 : 1e-20);
    case FILL_HUGE: /* one sign where products overflow: Inf - Inf would depend on the order */
        return (one_sign ? 0.5 + fabs(g) : g) * (f16 ? 1e4 : 1e20);
    case FILL_MEAN_10:
        return 10 + 0.1 * g;
    case FILL_MEAN_1000:
        return 1000 + g;
    case FILL_DENORMAL:
        return h % 8 == 0 ? (f16 ? 0x1p-24 : 0x1p-149) : g * (f16 ? 5e-7 : 1e-40);
    default:
        return g * scale;
    }
}

/* The row's own power of two: half of the time next to one at which a way of computing ends (a sum
 * of squares of 2^-126, 2^-60, 2^60 or 2^124), else any; some rows are zero. Of f16 a fifth of
 * it. */
static void put_magnitude(float *row, bool f16, size_t cols, uint64_t h)
{
    static const int ends[] = {-74, -63, -62, -31, -30, -29, -1, 0, 29, 30, 31, 60, 61, 62};
    int exponent =
        h & 1 ? ends[(h >> 8) % (sizeof ends / sizeof *ends)] : (int)((h >> 8) % 137) - 74;
    for (size_t k = 0; k < cols; k++)
        row[k] = (h >> 1) % 16 == 0 ? 0.0f : ldexpf(row[k], f16 ? exponent / 5 : exponent);
}

/* Every second element 0: of x the odd ones, of the others the even ones, and these negative. Each
 * product is -0 then; a sum of such is +0. */
static void put_half(float *row, size_t cols, bool is_x)
{
    for (size_t k = 0; k < cols; k++)
        row[k] = is_x ? (k % 2 ? 0.0f : fabsf(row[k])) : k % 2 ? -fabsf(row[k]) : -0.0f;
}

/* One of the kinds that are treated on their own, or an ordinary row. */
static void put_special(float *row, bool f16, size_t cols, uint64_t h)
{
    if (cols == 0)
        return;
    float *one = &row[(h >> 8) % cols];
    switch (h % 8) {
    case 0:
        *one = INFINITY;
        break;
    case 1:
        *one = -INFINITY;
        break;
    case 2:
        put_nan(one, h >> 32);
        break;
    case 3:
        for (size_t k = 0; k < cols; k++)
            row[k] = h >> 40 & 1 && k % 2 ? -0.0f : 0.0f;
        break;
    case 4:
        for (size_t k = 0; k < cols; k++)
            row[k] *= f16 ? 0x1p-18f : 0x1p-130f;
        break;
    default:
        break;
    }
}

void fill_common_row(const struct trial *t, const struct buffer *b, size_t i, float *row)
{
    uint64_t stream = fill_stream(t, b->name);
    bool f16 = b->element == ELEMENT_F16;
    bool one_sign = t->shape.similarity != MMK_COSINE && !t->kernel->both_signs;
    uint64_t h = fill_hash(stream, UINT64_MAX - i);
    size_t source = t->fill == FILL_EQUAL_ROWS ? 0 : i;
    if (t->fill == FILL_DUPLICATES) { /* x and y draw from the same few rows */
        stream = fill_stream(t, "duplicates");
        source = h % 5;
    }
    if (t->fill == FILL_ALIGNED && strcmp(b->name, "y") == 0 && i >= t->shape.offset) {
        uint64_t other = fill_stream(t, "x"); /* y_{i+offset} = x_i and a little noise */
        size_t partner = i - t->shape.offset;
        for (size_t k = 0; k < b->cols; k++)
            row[k] = (float)(element(t->fill, f16, false, other, b->cols, partner, k) +
                             0.1 * element(t->fill, f16, false, stream, b->cols, i, k));
    } else {
        for (size_t k = 0; k < b->cols; k++)
            row[k] = (float)element(t->fill, f16, one_sign, stream, b->cols, source, k);
    }
    if (t->fill == FILL_UNIT_ROWS) {
        double sum = 0;
        for (size_t k = 0; k < b->cols; k++)
            sum += (double)row[k] * (double)row[k];
        double inverse = sum > 0 ? 1 / sqrt(sum) : 0;
        for (size_t k = 0; k < b->cols; k++)
            row[k] = (float)((double)row[k] * inverse);
    }
    if (t->fill == FILL_DUPLICATES && h % 4 == 0 &&
        b->cols > 0) /* all but equal: a distance near 0 */
        row[(h >> 8) % b->cols] *= 1 + (f16                          ? 0x1p-10f
                                        : b->element == ELEMENT_BF16 ? 0x1p-7f
                                                                     : 0x1p-23f);
    /* which rows are special differs from shape to shape: a pair has only one row a side */
    const struct shape *s = &t->shape;
    uint64_t special = fill_hash(mix(stream + s->m + 3 * s->n + 7 * s->d), UINT64_MAX - i);
    if (t->fill == FILL_ZERO_ROWS && special % 3 == 0)
        for (size_t k = 0; k < b->cols; k++)
            row[k] = special & 64 && k % 2 ? -0.0f : 0.0f;
    if (t->fill == FILL_ZERO_ROWS && special % 3 == 1)
        put_half(row, b->cols, strcmp(b->name, "x") == 0);
    if (t->fill == FILL_INF && special % 3 == 0 && b->cols > 0)
        row[(special >> 8) % b->cols] = special & 64 ? INFINITY : -INFINITY;
    if (t->fill == FILL_MAGNITUDES)
        put_magnitude(row, f16, b->cols, special);
    if (t->fill == FILL_SPECIALS)
        put_special(row, f16, b->cols, special);
}

/* ---- Rows of f16 and bf16 -------------------------------------------------------------------- */

static bool is_of_halves(const struct buffer *b)
{
    return b->element == ELEMENT_F16 || b->element == ELEMENT_BF16;
}

void buffer_put(const struct buffer *b, size_t at, const float *row, size_t count)
{
    uint16_t *halves = (uint16_t *)b->data + at;
    if (b->element == ELEMENT_F32)
        memcpy((float *)b->data + at, row, count * sizeof *row);
    for (size_t k = 0; k < count && is_of_halves(b); k++)
        halves[k] = b->element == ELEMENT_F16 ? half_to_f16(row[k]) : half_to_bf16(row[k]);
}

static void fill_halves(const struct trial *t, const struct buffer *b)
{
#pragma omp parallel if (b->rows * b->cols > 100000)
    {
        float *row = ref_zeros(b->cols, sizeof *row);
#pragma omp for schedule(static)
        for (size_t i = 0; i < b->rows; i++) {
            fill_common_row(t, b, i, row);
            buffer_put(b, i * b->ld, row, b->cols);
        }
        free(row);
    }
}

float *floats_of(const struct buffer *b)
{
    float *floats = ref_zeros(b->rows * b->cols, sizeof *floats);
#pragma omp parallel for if (b->rows * b->cols > 100000) schedule(static)
    for (size_t i = 0; i < b->rows; i++) {
        const uint16_t *row = (const uint16_t *)b->data + i * b->ld;
        for (size_t k = 0; k < b->cols; k++)
            floats[i * b->cols + k] =
                b->element == ELEMENT_F16 ? half_from_f16(row[k]) : half_from_bf16(row[k]);
    }
    return floats;
}

/* The one NaN of the three NaN fills: in x or y, whichever the seed and the shape say. */
static void fill_nan(struct trial *t)
{
    struct buffer *inputs[TRIAL_BUFFERS];
    size_t count = 0;
    for (int b = 0; b < t->buffer_count && b < 2; b++)
        if (!t->buffer[b].output &&
            (t->buffer[b].element == ELEMENT_F32 || is_of_halves(&t->buffer[b])) &&
            t->buffer[b].rows > 0 && t->buffer[b].cols > 0)
            inputs[count++] = &t->buffer[b];
    if (count == 0)
        return;
    const struct shape *s = &t->shape;
    uint64_t h = fill_hash(mix(t->seed), s->m + 3 * s->n + 7 * s->d);
    struct buffer *b = inputs[h % count];
    size_t i = 0, k = 0;
    if (t->fill == FILL_NAN_LAST) {
        i = b->rows - 1;
        k = b->cols - 1;
    } else if (t->fill == FILL_NAN_TAIL) {
        size_t tail = b->cols % 16 ? b->cols % 16 : 1;
        i = b->rows / 2;
        k = b->cols - 1 - (h >> 16) % tail;
    }
    float nan;
    put_nan(&nan, h >> 32);
    if (is_of_halves(b))
        buffer_put(b, i * b->ld + k, &nan, 1);
    else
        memcpy((float *)b->data + i * b->ld + k, &nan, sizeof nan);
}

/* ---- Rows of codes --------------------------------------------------------------------------- */

/* Of a scale, what is not an ordinary one: it counts in similarities as it stands in mmk.h. */
static float special_scale(float scale, uint64_t h)
{
    static const float scales[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f};
    return h % 8 < 6 ? scales[h % 8] : -scale;
}

static bool fill_is_of_nan(enum fill fill)
{
    return fill == FILL_NAN_FIRST || fill == FILL_NAN_LAST || fill == FILL_NAN_TAIL;
}

/* Codes of a row without meaning as floats: any, or the two at the ends, of every second row one
 * of them alone. */
static void put_codes(enum fill fill, int8_t *codes, size_t cols, uint64_t stream, size_t i,
                      uint64_t h)
{
    for (size_t k = 0; k < cols; k++) {
        uint64_t any = fill_hash(stream, i * cols + k);
        bool low = h % 4 == 0 || (h % 4 != 1 && (any & 256) != 0);
        codes[k] = (int8_t)(fill == FILL_INTEGER ? (int)(any % 256) - 128 : low ? -128 : 127);
    }
}

static void quantize(const float *row, size_t cols, int8_t *codes, float *scale)
{
    float greatest = 0;
    bool finite = true;
    for (size_t k = 0; k < cols; k++) {
        greatest = fmaxf(greatest, fabsf(row[k]));
        finite = finite && isfinite(row[k]);
    }
    *scale = finite ? greatest / 127 : NAN;
    for (size_t k = 0; k < cols; k++) {
        double code = finite && *scale > 0 ? nearbyint((double)row[k] / (double)*scale) : 0;
        codes[k] = (int8_t)fmin(fmax(code, -127), 127);
    }
}

static void fill_row_of_codes(const struct trial *t, const struct buffer *b, size_t i, float *row,
                              float *scale)
{
    int8_t *codes = (int8_t *)b->data + i * b->ld;
    const struct shape *s = &t->shape; /* a pair has one row a side: another at each shape */
    uint64_t stream = fill_stream(t, b->name);
    uint64_t h = fill_hash(mix(stream + s->m + 3 * s->n + 7 * s->d), UINT64_MAX - i);
    if (t->fill == FILL_INTEGER || t->fill == FILL_TIES) {
        put_codes(t->fill, codes, b->cols, stream, i, h);
        *scale = t->fill == FILL_INTEGER ? 1 : ldexpf(1, (int)(h >> 8) % 5 - 2);
        return;
    }
    fill_common_row(t, b, i, row);
    quantize(row, b->cols, codes, scale);
    if (t->fill == FILL_SPECIALS && h % 2 == 0)
        *scale = special_scale(*scale, h >> 8);
    if (fill_is_of_nan(t->fill) && h % 3 == 0)
        put_nan(scale, h >> 32);
}

void fill_codes(struct trial *t)
{
    for (int index = 0; index < t->buffer_count && t->fill != FILL_GIVEN; index++) {
        const struct buffer *b = &t->buffer[index];
        if (b->output || b->element != ELEMENT_I8)
            continue;
        bool scaled = strstr(b[1].name, "scale") != NULL;
#pragma omp parallel if (b->rows * b->cols > 100000)
        {
            float *row = ref_zeros(b->cols, sizeof *row), none;
#pragma omp for schedule(static)
            for (size_t i = 0; i < b->rows; i++)
                fill_row_of_codes(t, b, i, row, scaled ? (float *)b[1].data + i : &none);
            free(row);
        }
    }
}

/* ---- The fill of a trial --------------------------------------------------------------------- */

/* The padding between rows holds signalling NaNs, or codes that are not 0: whoever reads it shows
 * it. */
static void fill_padding(const struct buffer *b)
{
    uint32_t *words = b->data;
    uint16_t *halves = b->data;
    int8_t *codes = b->data;
    for (size_t i = 0; i + 1 < b->rows; i++)
        for (size_t k = b->cols; k < b->ld; k++)
            if (b->element == ELEMENT_I8)
                codes[i * b->ld + k] = 99;
            else if (is_of_halves(b))
                halves[i * b->ld + k] = b->element == ELEMENT_F16 ? 0x7da5 : 0x7fa5;
            else
                words[i * b->ld + k] = 0x7fa5a5a5u;
}

void trial_fill(struct trial *t)
{
    for (int index = 0; index < t->buffer_count; index++) {
        struct buffer *b = &t->buffer[index];
        if (b->output)
            continue;
        fill_padding(b);
        if (t->fill != FILL_GIVEN && is_of_halves(b))
            fill_halves(t, b);
        if (t->fill == FILL_GIVEN || b->element != ELEMENT_F32)
            continue;
#pragma omp parallel for if (b->rows * b->cols > 100000) schedule(static)
        for (size_t i = 0; i < b->rows; i++)
            fill_common_row(t, b, i, (float *)b->data + i * b->ld);
    }
    if (fill_is_of_nan(t->fill))
        fill_nan(t);
    if (t->kernel->fill)
        t->kernel->fill(t);
}

bool kernels_complete(char *error, size_t size)
{
    for (size_t i = 0; i < kernel_count; i++) {
        const char *lacks = kernel_lacks(kernels[i]);
        if (lacks == NULL)
            continue;
        snprintf(error, size,
                 "the descriptor of kernel %s has no %s; ref/case.h says what it is for",
                 kernels[i]->name ? kernels[i]->name : "?", lacks);
        return false;
    }
    return true;
}

/* simsimd.c - peer: SimSIMD's similarities of two vectors, and loops of them over a gallery
 * and over pairs of rows: of f32, f16 and bf16, and of codes of 8 bits.
 * SPDX-License-Identifier: MIT
 *
 * From its headers, in line, as the compiler's flags choose: in a loop that is 4 to 30 % faster
 * than through the pointer that its dispatch gives.
 *
 * Of codes it knows no scales. A cosine needs none, as they are not negative; a dot product is
 * multiplied by both. Its distance, |p - q|^2, is not that of rows whose scales differ: it is made
 * of dot products, a (a p.p - b p.q) + b (b q.q - a p.q), and of a query p.p once for all rows.
 */
#include "release.h"

#include <simsimd/simsimd.h>
#include <stdio.h>

enum { X, Y, RESULT }; /* order of the buffers; of codes with scales: */
enum { CODES_X, SCALE_X, CODES_Y, SCALES_Y, CODES_RESULT };

/* What it calls similarity is a distance but for dot. */
static inline __attribute__((always_inline)) double similarity(simsimd_datatype_t type,
                                                               enum mmk_similarity kind,
                                                               const void *x, const void *y,
                                                               size_t d)
{
    simsimd_distance_t result;
    switch (type) {
    case simsimd_datatype_f32_k:
        if (kind == MMK_DOT)
            simsimd_dot_f32(x, y, d, &result);
        else if (kind == MMK_COSINE)
            simsimd_cos_f32(x, y, d, &result);
        else
            simsimd_l2sq_f32(x, y, d, &result);
        break;
    case simsimd_datatype_f16_k:
        if (kind == MMK_DOT)
            simsimd_dot_f16(x, y, d, &result);
        else if (kind == MMK_COSINE)
            simsimd_cos_f16(x, y, d, &result);
        else
            simsimd_l2sq_f16(x, y, d, &result);
        break;
    case simsimd_datatype_bf16_k:
        if (kind == MMK_DOT)
            simsimd_dot_bf16(x, y, d, &result);
        else if (kind == MMK_COSINE)
            simsimd_cos_bf16(x, y, d, &result);
        else
            simsimd_l2sq_bf16(x, y, d, &result);
        break;
    default: /* codes */
        if (kind == MMK_COSINE)
            simsimd_cos_i8(x, y, d, &result);
        else
            simsimd_dot_i8(x, y, d, &result);
    }
    return kind == MMK_DOT ? result : kind == MMK_COSINE ? 1.0 - result : -result;
}

static inline __attribute__((always_inline)) size_t bytes_of(simsimd_datatype_t type)
{
    return type == simsimd_datatype_f32_k ? 4 : type == simsimd_datatype_i8_k ? 1 : 2;
}

/* ldx 0: x is one vector. */
static inline __attribute__((always_inline)) enum mmk_status rows(simsimd_datatype_t type,
                                                                  enum mmk_similarity kind,
                                                                  const struct trial *trial,
                                                                  size_t n, size_t ldx)
{
    const char *x = trial->buffer[X].data, *y = trial->buffer[Y].data;
    size_t d = trial->shape.d, size = bytes_of(type), ld = trial->buffer[Y].ld * size;
    float *result = trial->buffer[RESULT].data;
    for (size_t j = 0; j < n; j++)
        result[j] = (float)similarity(type, kind, x + j * ldx * size, y + j * ld, d);
    return MMK_OK;
}

/* The exact products of codes. */
static inline __attribute__((always_inline)) enum mmk_status products(const struct trial *trial,
                                                                      size_t n)
{
    const int8_t *x = trial->buffer[X].data, *y = trial->buffer[Y].data;
    size_t d = trial->shape.d, ld = trial->buffer[Y].ld;
    int32_t *result = trial->buffer[RESULT].data;
    for (size_t j = 0; j < n; j++)
        result[j] = (int32_t)similarity(simsimd_datatype_i8_k, MMK_DOT, x, y + j * ld, d);
    return MMK_OK;
}

static inline __attribute__((always_inline)) enum mmk_status
scaled(enum mmk_similarity kind, const struct trial *trial, size_t n)
{
    const simsimd_datatype_t codes = simsimd_datatype_i8_k;
    const int8_t *x = trial->buffer[CODES_X].data, *y = trial->buffer[CODES_Y].data;
    const float *scales = trial->buffer[SCALES_Y].data;
    double a = (double)*(const float *)trial->buffer[SCALE_X].data;
    size_t d = trial->shape.d, ld = trial->buffer[CODES_Y].ld;
    float *result = trial->buffer[CODES_RESULT].data;
    double pp = kind == MMK_NEG_SQ_L2 ? similarity(codes, MMK_DOT, x, x, d) : 0.0;
    for (size_t j = 0; j < n; j++) {
        const int8_t *q = y + j * ld;
        double b = (double)scales[j];
        if (kind == MMK_COSINE) {
            result[j] = (float)similarity(codes, MMK_COSINE, x, q, d);
            continue;
        }
        double pq = similarity(codes, MMK_DOT, x, q, d);
        if (kind == MMK_DOT) {
            result[j] = (float)(a * b * pq);
        } else { /* the products of a scale are exact, so that equal rows are at 0 */
            double qq = similarity(codes, MMK_DOT, q, q, d);
            result[j] = (float)-(a * (a * pp - b * pq) + b * (b * qq - a * pq));
        }
    }
    return MMK_OK;
}

#define CALL(name, what)                                                                           \
    static enum mmk_status name(struct peer *peer, struct trial *trial)                            \
    {                                                                                              \
        (void)peer;                                                                                \
        return what;                                                                               \
    }

#define CALLS(type, pairs, queries)                                                                \
    CALL(dot_##pairs, rows(simsimd_datatype_##type, MMK_DOT, trial, 1, 0))                         \
    CALL(cosine_##pairs, rows(simsimd_datatype_##type, MMK_COSINE, trial, 1, 0))                   \
    CALL(neg_sq_l2_##pairs, rows(simsimd_datatype_##type, MMK_NEG_SQ_L2, trial, 1, 0))             \
    CALL(dot_##queries, rows(simsimd_datatype_##type, MMK_DOT, trial, trial->shape.n, 0))          \
    CALL(cosine_##queries, rows(simsimd_datatype_##type, MMK_COSINE, trial, trial->shape.n, 0))    \
    CALL(neg_sq_l2_##queries,                                                                      \
         rows(simsimd_datatype_##type, MMK_NEG_SQ_L2, trial, trial->shape.n, 0))

CALLS(f32_k, pair, query)
CALLS(f16_k, pair_f16, query_f16)
CALLS(bf16_k, pair_bf16, query_bf16)

#define CALL_ROWS(name, kind)                                                                      \
    CALL(name, rows(simsimd_datatype_f32_k, kind, trial, trial->shape.m, trial->buffer[X].ld))

CALL_ROWS(dot_rows, MMK_DOT)
CALL_ROWS(cosine_rows, MMK_COSINE)
CALL_ROWS(neg_sq_l2_rows, MMK_NEG_SQ_L2)

CALL(dot_pair_i8, products(trial, 1))
CALL(scaled_dot_pair_i8, scaled(MMK_DOT, trial, 1))
CALL(cosine_pair_i8, scaled(MMK_COSINE, trial, 1))
CALL(neg_sq_l2_pair_i8, scaled(MMK_NEG_SQ_L2, trial, 1))
CALL(dot_query_i8, products(trial, trial->shape.n))
CALL(scaled_dot_query_i8, scaled(MMK_DOT, trial, trial->shape.n))
CALL(cosine_query_i8, scaled(MMK_COSINE, trial, trial->shape.n))
CALL(neg_sq_l2_query_i8, scaled(MMK_NEG_SQ_L2, trial, trial->shape.n))

static const struct entry {
    const char *kernel;
    enum mmk_status (*call)(struct peer *peer, struct trial *trial);
    simsimd_metric_kind_t metric;
    simsimd_datatype_t type;
    const char *how;
} entries[] = {
#define ENTRY(name, metric, type)                                                                  \
    {                                                                                              \
#name, name, simsimd_metric_##metric, simsimd_datatype_##type, ""                          \
    }
#define ENTRIES_OF(type, pairs, queries)                                                           \
    ENTRY(dot_##pairs, dot_k, type), ENTRY(cosine_##pairs, cos_k, type),                           \
        ENTRY(neg_sq_l2_##pairs, l2sq_k, type), ENTRY(dot_##queries, dot_k, type),                 \
        ENTRY(cosine_##queries, cos_k, type), ENTRY(neg_sq_l2_##queries, l2sq_k, type)
#define ENTRY_OF_DOTS(name)                                                                        \
    {                                                                                              \
#name, name, simsimd_metric_dot_k, simsimd_datatype_i8_k,                                  \
            "of its dot products, as it knows no scales"                                           \
    }
    ENTRIES_OF(f32_k, pair, query),
    ENTRIES_OF(f16_k, pair_f16, query_f16),
    ENTRIES_OF(bf16_k, pair_bf16, query_bf16),
    ENTRY(dot_rows, dot_k, f32_k),
    ENTRY(cosine_rows, cos_k, f32_k),
    ENTRY(neg_sq_l2_rows, l2sq_k, f32_k),
    ENTRY(dot_pair_i8, dot_k, i8_k),
    ENTRY(scaled_dot_pair_i8, dot_k, i8_k),
    ENTRY(cosine_pair_i8, cos_k, i8_k),
    ENTRY_OF_DOTS(neg_sq_l2_pair_i8),
    ENTRY(dot_query_i8, dot_k, i8_k),
    ENTRY(scaled_dot_query_i8, dot_k, i8_k),
    ENTRY(cosine_query_i8, cos_k, i8_k),
    ENTRY_OF_DOTS(neg_sq_l2_query_i8),
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

/* The entry for a kernel; ENTRIES: there is none. */
static size_t entry_of(const struct kernel *kernel)
{
    size_t e = 0;
    while (e < ENTRIES && strcmp(entries[e].kernel, kernel->name) != 0)
        e++;
    return e;
}

static bool runs(const struct kernel *kernel)
{
    return entry_of(kernel) < ENTRIES;
}

static const char *capability_name(simsimd_capability_t capability)
{
    static const struct {
        simsimd_capability_t capability;
        const char *name;
    } names[] = {{simsimd_cap_serial_k, "serial"},   {simsimd_cap_neon_k, "neon"},
                 {simsimd_cap_sve_k, "sve"},         {simsimd_cap_haswell_k, "haswell"},
                 {simsimd_cap_skylake_k, "skylake"}, {simsimd_cap_ice_k, "ice"},
                 {simsimd_cap_genoa_k, "genoa"},     {simsimd_cap_sapphire_k, "sapphire"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].capability == capability)
            return names[i].name;
    return "unnamed";
}

static bool prepare(struct peer *peer, const struct trial *trial, char *error, size_t error_bytes)
{
    size_t e = entry_of(trial->kernel);
    simsimd_capability_t chosen = simsimd_cap_serial_k;
    simsimd_kernel_punned_t kernel = NULL;
    (void)error;
    (void)error_bytes;
    simsimd_find_kernel_punned(entries[e].metric, entries[e].type, simsimd_capabilities(),
                               simsimd_cap_any_k, &kernel, &chosen);
    peer->call = entries[e].call;
    snprintf(peer->kernel, sizeof peer->kernel, "%s", capability_name(chosen));
    snprintf(peer->how, sizeof peer->how, "%s", entries[e].how);
    return true;
}

static const struct release_year years[] = {{2026, "6.5.5"}};

static bool open_peer(struct peer *peer, char *error, size_t error_bytes)
{
    char number[48];
    (void)error;
    (void)error_bytes;
    snprintf(number, sizeof number, "%d.%d.%d", SIMSIMD_VERSION_MAJOR, SIMSIMD_VERSION_MINOR,
             SIMSIMD_VERSION_PATCH);
    release_say(peer, "SimSIMD", number, years, sizeof years / sizeof years[0]);
    return true;
}

static void close_peer(struct peer *peer)
{
    (void)peer;
}

struct peer mmk_peer = {
    .name = "simsimd", .runs = runs, .open = open_peer, .close = close_peer, .prepare = prepare};

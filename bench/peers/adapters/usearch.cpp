/* usearch.cpp - peer: USearch's exact search, and its metrics of two vectors.
 * SPDX-License-Identifier: MIT
 *
 * Its metrics are distances: 1 - dot, 1 - cosine, |x - y|^2. What it takes for the distances of all
 * queries to all rows it keeps from one call to the next, as its object does.
 */
#include "release.h"

#define USEARCH_USE_OPENMP  1
#define USEARCH_USE_SIMSIMD 1
#define USEARCH_USE_FP16LIB 0
#include <usearch/index_plugins.hpp>

#include <cstdio>
#include <iterator>
#include <memory>
#include <unistd.h>

namespace us = unum::usearch;

namespace
{

/* For the trial of the last prepare. */
us::metric_punned_t metric;
std::unique_ptr<us::exact_search_t> search;

const us::byte_t *bytes(const buffer &rows)
{
    return static_cast<const us::byte_t *>(rows.data);
}

float similarity(mmk_similarity kind, double distance)
{
    return (float)(kind == MMK_NEG_SQ_L2 ? -distance : 1.0 - distance);
}

mmk_status pair_call(peer *, trial *trial)
{
    enum { X, Y, RESULT }; /* order of the buffers */
    double distance = metric(bytes(trial->buffer[X]), bytes(trial->buffer[Y]));
    *(float *)trial->buffer[RESULT].data = similarity(trial->shape.similarity, distance);
    return MMK_OK;
}

template <class kind> mmk_status search_with(kind &&executor, trial *trial)
{
    const shape &s = trial->shape;
    const buffer &x = *trial_buffer(trial, "x"), &y = *trial_buffer(trial, "y"),
                 &values = *trial_buffer(trial, "values"),
                 &indices = *trial_buffer(trial, "indices");
    auto found = (*search)(bytes(y), s.n, y.ld * sizeof(float), bytes(x), s.m, x.ld * sizeof(float),
                           s.k, metric, executor, us::dummy_progress_t{});
    if (!found)
        return MMK_ERR_NO_MEMORY;
    for (size_t i = 0; i < s.m; i++) {
        auto row = found.at(i);
        for (size_t r = 0; r < s.k; r++) {
            ((float *)values.data)[i * values.ld + r] =
                similarity(s.similarity, (double)row[r].distance);
            ((uint32_t *)indices.data)[i * indices.ld + r] = (uint32_t)row[r].offset;
        }
    }
    trial->count = s.k;
    return MMK_OK;
}

mmk_status search_call(peer *, trial *trial)
{
    int threads = trial->options.threads;
    return threads == 1 ? search_with(us::dummy_executor_t{}, trial)
                        : search_with(us::executor_openmp_t((size_t)threads), trial);
}

void close_peer(peer *)
{
    search.reset();
}

/* Of dot as 1 - dot too little is left. */
bool runs(const kernel *kernel)
{
    return kernel->ranks_gallery || strcmp(kernel->name, "cosine_pair") == 0 ||
           strcmp(kernel->name, "neg_sq_l2_pair") == 0;
}

bool prepare_search(const trial *trial, char *error, size_t error_bytes)
{
    const shape &s = trial->shape;
    double needed = 2.0 * sizeof(us::exact_offset_and_distance_t) * (double)s.m * (double)s.n;
    double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (s.k > s.n) {
        snprintf(error, error_bytes, "it finds no more rows than there are");
        return false;
    }
    if (needed > 0.5 * there) {
        snprintf(error, error_bytes, "it keeps all distances, which would be %.0f GB",
                 needed / 1e9);
        return false;
    }
    search = std::make_unique<us::exact_search_t>();
    return true;
}

bool prepare(peer *peer, const trial *trial, char *error, size_t error_bytes)
{
    static const us::metric_kind_t kinds[] = {
        us::metric_kind_t::ip_k, us::metric_kind_t::cos_k,
        us::metric_kind_t::l2sq_k}; /* as enum mmk_similarity */
    close_peer(peer);
    metric = us::metric_punned_t(trial->shape.d, kinds[trial->shape.similarity],
                                 us::scalar_kind_t::f32_k);
    snprintf(peer->kernel, sizeof peer->kernel, "%s", metric.isa_name());
    peer->call = trial->kernel->ranks_gallery ? search_call : pair_call;
    return !trial->kernel->ranks_gallery || prepare_search(trial, error, error_bytes);
}

const release_year years[] = {{2026, "2.21.4"}};

bool open_peer(peer *peer, char *, size_t)
{
    char number[48];
    snprintf(number, sizeof number, "%d.%d.%d", USEARCH_VERSION_MAJOR, USEARCH_VERSION_MINOR,
             USEARCH_VERSION_PATCH);
    release_say(peer, "USearch", number, years, std::size(years));
    return true;
}

} // namespace

struct peer mmk_peer = {
    .name = "usearch", .runs = runs, .open = open_peer, .close = close_peer, .prepare = prepare};

/* usearch.cpp - peers: USearch's exact search, of f32, and of rows converted to f16 or 8 bits; and
 * its metrics of two vectors.
 * SPDX-License-Identifier: MIT
 *
 * Its metrics are distances: 1 - dot, 1 - cosine, |x - y|^2. What it takes for the distances of all
 * queries to all rows it keeps from one call to the next, as its object does. Rows are narrowed by
 * its own conversions, as in its indices, the gallery's outside the call. That to 8 bits scales
 * every row to the length 127: it is asked for cosines only.
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
#include <vector>

namespace us = unum::usearch;

namespace
{

/* For the trial of a peer's last prepare. */
struct prepared {
    us::metric_punned_t metric;
    std::vector<us::byte_t> x, y; /* converted, without gaps */
};
prepared prepared_f32, prepared_f16, prepared_i8;

/* Where distances are kept, for all of them. */
std::unique_ptr<us::exact_search_t> search;

prepared &of(const peer *peer)
{
    return *static_cast<prepared *>(peer->state);
}

const us::scalar_kind_t kind_f16 = us::scalar_kind_t::f16_k, kind_i8 = us::scalar_kind_t::i8_k;

us::scalar_kind_t scalar_of(const peer *peer)
{
    return peer->about ? *static_cast<const us::scalar_kind_t *>(peer->about)
                       : us::scalar_kind_t::f32_k;
}

const us::byte_t *bytes(const buffer &rows)
{
    return static_cast<const us::byte_t *>(rows.data);
}

float similarity(mmk_similarity kind, double distance)
{
    return (float)(kind == MMK_NEG_SQ_L2 ? -distance : 1.0 - distance);
}

mmk_status pair_call(peer *peer, trial *trial)
{
    enum { X, Y, RESULT }; /* order of the buffers */
    double distance = of(peer).metric(bytes(trial->buffer[X]), bytes(trial->buffer[Y]));
    *(float *)trial->buffer[RESULT].data = similarity(trial->shape.similarity, distance);
    return MMK_OK;
}

/* Rows of floats as the metric of the peer wants them. */
struct rows {
    const us::byte_t *data;
    size_t stride;
};

rows narrow(const peer *peer, const buffer &from, std::vector<us::byte_t> &to)
{
    size_t stride = from.ld * sizeof(float), row = of(peer).metric.bytes_per_vector();
    us::scalar_kind_t kind = scalar_of(peer);
    if (kind == us::scalar_kind_t::f32_k)
        return {bytes(from), stride};
    auto convert = kind == us::scalar_kind_t::f16_k ? us::cast_gt<us::f32_t, us::f16_t>::try_
                                                    : us::cast_gt<us::f32_t, us::i8_t>::try_;
    to.resize(from.rows * row);
    for (size_t i = 0; i < from.rows; i++)
        convert(bytes(from) + i * stride, from.cols, to.data() + i * row);
    return {to.data(), row};
}

template <class kind> mmk_status search_with(kind &&executor, peer *peer, trial *trial)
{
    const shape &s = trial->shape;
    const buffer &x = *trial_buffer(trial, "x"), &y = *trial_buffer(trial, "y"),
                 &values = *trial_buffer(trial, "values"),
                 &indices = *trial_buffer(trial, "indices");
    bool narrowed = peer->about != nullptr;
    rows queries = narrow(peer, x, of(peer).x);
    rows gallery = narrowed ? rows{of(peer).y.data(), queries.stride} : narrow(peer, y, of(peer).y);
    auto found = (*search)(gallery.data, s.n, gallery.stride, queries.data, s.m, queries.stride,
                           s.k, of(peer).metric, executor, us::dummy_progress_t{});
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

mmk_status search_call(peer *peer, trial *trial)
{
    int threads = trial->options.threads;
    return threads == 1 ? search_with(us::dummy_executor_t{}, peer, trial)
                        : search_with(us::executor_openmp_t((size_t)threads), peer, trial);
}

void close_peer(peer *peer)
{
    search.reset();
    of(peer) = {};
}

/* Of dot as 1 - dot too little is left. */
bool runs(const kernel *kernel)
{
    return kernel->ranks_gallery || strcmp(kernel->name, "cosine_pair") == 0 ||
           strcmp(kernel->name, "neg_sq_l2_pair") == 0;
}

bool runs_search(const kernel *kernel)
{
    return kernel->ranks_gallery;
}

bool prepare_search(peer *peer, const trial *trial, char *error, size_t error_bytes)
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
    if (scalar_of(peer) == us::scalar_kind_t::i8_k && s.similarity != MMK_COSINE) {
        snprintf(error, error_bytes, "in 8 bits it keeps directions of rows, not their lengths");
        return false;
    }
    search = std::make_unique<us::exact_search_t>();
    if (peer->about)
        narrow(peer, *trial_buffer(trial, "y"), of(peer).y);
    return true;
}

bool prepare(peer *peer, const trial *trial, char *error, size_t error_bytes)
{
    static const us::metric_kind_t kinds[] = {
        us::metric_kind_t::ip_k, us::metric_kind_t::cos_k,
        us::metric_kind_t::l2sq_k}; /* as enum mmk_similarity */
    close_peer(peer);
    of(peer).metric =
        us::metric_punned_t(trial->shape.d, kinds[trial->shape.similarity], scalar_of(peer));
    snprintf(peer->kernel, sizeof peer->kernel, "%s", of(peer).metric.isa_name());
    peer->call = trial->kernel->ranks_gallery ? search_call : pair_call;
    return !trial->kernel->ranks_gallery || prepare_search(peer, trial, error, error_bytes);
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

extern MMK_API peer mmk_peer_f16, mmk_peer_i8;

peer mmk_peer = {.name = "usearch",
                 .state = &prepared_f32,
                 .runs = runs,
                 .open = open_peer,
                 .close = close_peer,
                 .prepare = prepare};
peer mmk_peer_f16 = {.name = "usearch-f16",
                     .how = "rows in f16",
                     .about = &kind_f16,
                     .state = &prepared_f16,
                     .runs = runs_search,
                     .open = open_peer,
                     .close = close_peer,
                     .prepare = prepare};
peer mmk_peer_i8 = {.name = "usearch-i8",
                    .how = "rows in 8 bits, of length 127",
                    .about = &kind_i8,
                    .state = &prepared_i8,
                    .runs = runs_search,
                    .open = open_peer,
                    .close = close_peer,
                    .prepare = prepare};

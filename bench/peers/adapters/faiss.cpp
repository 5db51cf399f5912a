/* faiss.cpp - peers: FAISS's flat index, and its collectors of the greatest scores of a row; its
 * flat index of 8-bit codes, and that with the best of it scored again from the floats.
 * SPDX-License-Identifier: MIT
 *
 * The collectors are templates in its headers, so that they are compiled here for this machine; the
 * library itself is as the distribution built it. They are chosen as its search does: a heap up to
 * 100 results, from there on a reservoir. The index is filled once, outside the call.
 *
 * Codes are QT_8bit, each dimension in a range of its own, trained on the whole gallery.
 * (QT_8bit_direct takes integers below 256 as they are, which rows of floats are not.) k_factor 1
 * would find what the codes alone do. They are decoded to floats one row at a time, which without
 * AVX2 takes six times as long: where `make peers` has got the source of the library's version,
 * its scalar quantizer is compiled here, too (FAISS_SQ_HERE).
 */
#include "release.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexRefine.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/ResultHandler.h>
#include <faiss/utils/distances.h>
#include <faiss/utils/utils.h>
#include <omp.h>

#ifdef FAISS_SQ_HERE
#include <ScalarQuantizer.cpp>
#endif

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <vector>

extern "C" char *openblas_get_corename(void);

namespace
{

using order = faiss::CMin<float, int64_t>; /* keeps the greatest */
#if FAISS_VERSION_MAJOR * 100 + FAISS_VERSION_MINOR < 108
using heap = faiss::HeapResultHandler<order>;
using reservoir = faiss::ReservoirResultHandler<order>;
#else /* the same under other names */
using heap = faiss::HeapBlockResultHandler<order>;
using reservoir = faiss::ReservoirBlockResultHandler<order>;
#endif

/* One thread's. */
template <class handler> struct collector {
    std::vector<float> values;
    std::vector<int64_t> ids;
    handler all;
    typename handler::SingleResultHandler one;

    explicit collector(size_t k) : values(k), ids(k), all(1, values.data(), ids.data(), k), one(all)
    {
    }
};

/* For the trial of a peer's last prepare. */
struct prepared {
    std::unique_ptr<faiss::Index> base, index; /* base: of the codes that index refines */
    std::vector<float> queries;                /* cosine: normalised */
    std::vector<int64_t> labels;
    std::vector<std::unique_ptr<collector<heap>>> heaps;
    std::vector<std::unique_ptr<collector<reservoir>>> reservoirs;
};
prepared prepared_flat, prepared_sq8, prepared_refine2, prepared_refine4;

prepared &of(const peer *peer)
{
    return *static_cast<prepared *>(peer->state);
}

/* How codes are used: NULL is not at all. k_factor 0: alone. */
struct codes {
    float k_factor;
};
const codes codes_alone = {0}, codes_refine2 = {2}, codes_refine4 = {4};

template <class handler>
void top_row(collector<handler> &collector, size_t n, const float *scores, size_t k, float *values,
             uint32_t *indices)
{
    collector.one.begin(0);
    for (size_t j = 0; j < n; j++)
        collector.one.add_result(scores[j], (int64_t)j);
    collector.one.end();
    std::copy_n(collector.values.data(), k, values);
    for (size_t i = 0; i < k; i++)
        indices[i] = (uint32_t)collector.ids[i];
}

template <class handler>
mmk_status top_rows(std::vector<std::unique_ptr<collector<handler>>> &collectors, trial *trial)
{
    enum { SCORES, VALUES, INDICES };
    const buffer &scores = trial->buffer[SCORES], &values = trial->buffer[VALUES],
                 &indices = trial->buffer[INDICES];
    size_t k = std::min(trial->shape.k, scores.cols);
#pragma omp parallel for num_threads((int)collectors.size()) schedule(static)
    for (size_t i = 0; i < scores.rows; i++)
        top_row(*collectors[(size_t)omp_get_thread_num()], scores.cols,
                (const float *)scores.data + i * scores.ld, k, (float *)values.data + i * values.ld,
                (uint32_t *)indices.data + i * indices.ld);
    trial->count = k;
    return MMK_OK;
}

mmk_status top_by_heap(peer *peer, trial *trial)
{
    return top_rows(of(peer).heaps, trial);
}

mmk_status top_by_reservoir(peer *peer, trial *trial)
{
    return top_rows(of(peer).reservoirs, trial);
}

mmk_status search(peer *peer, trial *trial)
{
    auto &[base, index, queries, labels, heaps, reservoirs] = of(peer);
    const shape &s = trial->shape;
    const buffer &values = *trial_buffer(trial, "values"),
                 &indices = *trial_buffer(trial, "indices");
    const float *x = (const float *)trial_buffer(trial, "x")->data;
    float *value = (float *)values.data;
    omp_set_num_threads(trial->options.threads);
    if (s.similarity == MMK_COSINE) {
        std::copy_n(x, queries.size(), queries.data());
        faiss::fvec_renorm_L2(s.d, s.m, queries.data());
        x = queries.data();
    }
    try {
        index->search((int64_t)s.m, x, (int64_t)s.k, value, labels.data());
    } catch (const std::exception &) {
        return MMK_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < labels.size(); i++)
        ((uint32_t *)indices.data)[i] = (uint32_t)labels[i];
    for (size_t i = 0; s.similarity == MMK_NEG_SQ_L2 && i < labels.size(); i++)
        value[i] = -value[i];
    trial->count = s.k;
    return MMK_OK;
}

void close_peer(peer *peer)
{
    of(peer) = {};
}

bool runs(const kernel *kernel)
{
    return strcmp(kernel->family, "topk") == 0 || kernel->ranks_gallery;
}

bool runs_codes(const kernel *kernel)
{
    return kernel->ranks_gallery;
}

bool prepare_top(peer *peer, const trial *trial)
{
    size_t k = std::min(trial->shape.k, trial->shape.n);
    bool small = k < (size_t)faiss::distance_compute_min_k_reservoir;
    for (int t = 0; t < trial->options.threads; t++) {
        if (small)
            of(peer).heaps.push_back(std::make_unique<collector<heap>>(k));
        else
            of(peer).reservoirs.push_back(std::make_unique<collector<reservoir>>(k));
    }
    peer->call = small ? top_by_heap : top_by_reservoir;
    snprintf(peer->how, sizeof peer->how, "its %s, compiled here", small ? "heap" : "reservoir");
    return true;
}

const char *whose_quantizer()
{
#ifdef FAISS_SQ_HERE
    return ", its quantizer compiled here";
#else
    return "";
#endif
}

/* The rows as the index is to have them, without gaps. */
void fill_index(const peer *peer, size_t d, size_t n, const float *rows, faiss::MetricType metric)
{
    auto &[base, index, queries, labels, heaps, reservoirs] = of(peer);
    const codes *codes = static_cast<const struct codes *>(peer->about);
    if (!codes) {
        index = std::make_unique<faiss::IndexFlat>((int64_t)d, metric);
        index->add((int64_t)n, rows);
        return;
    }
    auto coded = std::make_unique<faiss::IndexScalarQuantizer>(
        (int)d, faiss::ScalarQuantizer::QT_8bit, metric);
    coded->train((int64_t)n, rows);
    coded->add((int64_t)n, rows);
    if (codes->k_factor == 0) {
        index = std::move(coded);
        return;
    }
    auto refined = std::make_unique<faiss::IndexRefineFlat>(coded.get(), rows);
    refined->k_factor = codes->k_factor;
    base = std::move(coded);
    index = std::move(refined);
}

bool prepare_search(peer *peer, const trial *trial)
{
    const shape &s = trial->shape;
    const float *rows = (const float *)trial_buffer(trial, "y")->data;
    const codes *codes = static_cast<const struct codes *>(peer->about);
    auto metric = s.similarity == MMK_NEG_SQ_L2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
    omp_set_num_threads(trial->options.threads);
    of(peer).labels.resize(s.m * s.k);
    std::vector<float> units;
    if (s.similarity == MMK_COSINE) {
        of(peer).queries.resize(s.m * s.d);
        units.assign(rows, rows + s.n * s.d);
        faiss::fvec_renorm_L2(s.d, s.n, units.data());
        rows = units.data();
    }
    fill_index(peer, s.d, s.n, rows, metric);
    peer->call = search;
    const char *kind = s.similarity == MMK_NEG_SQ_L2 ? "L2" : "IP";
    const char *gallery =
        s.similarity == MMK_COSINE ? " of a gallery normalised before the call" : "";
    if (!codes)
        snprintf(peer->how, sizeof peer->how, "IndexFlat%s%s", kind, gallery);
    else if (codes->k_factor == 0)
        snprintf(peer->how, sizeof peer->how, "IndexScalarQuantizer QT_8bit %s%s%s", kind, gallery,
                 whose_quantizer());
    else
        snprintf(peer->how, sizeof peer->how, "IndexRefineFlat, k_factor %g, of QT_8bit %s%s%s",
                 (double)codes->k_factor, kind, gallery, whose_quantizer());
    return true;
}

/* Whether it can do the trial; else error says why not. */
bool can_do(const trial *trial, char *error, size_t error_bytes)
{
    const shape &s = trial->shape;
    if (s.k == 0 || s.n == 0) {
        snprintf(error, error_bytes, "it collects one result at least");
        return false;
    }
    if (trial->kernel->ranks_gallery && (s.k > s.n || s.ld_extra > 0)) {
        snprintf(error, error_bytes,
                 "it takes rows without gaps, and finds no more of them than there are");
        return false;
    }
    return true;
}

bool prepare(peer *peer, const trial *trial, char *error, size_t error_bytes)
{
    close_peer(peer);
    if (!can_do(trial, error, error_bytes))
        return false;
    try {
        return trial->kernel->ranks_gallery ? prepare_search(peer, trial)
                                            : prepare_top(peer, trial);
    } catch (const std::bad_alloc &) {
        close_peer(peer);
        snprintf(error, error_bytes, "no memory for its gallery and results");
        return false;
    }
}

const release_year years[] = {
    {2021, "1.7.0 1.7.1 1.7.2"},           {2022, "1.7.3"}, {2023, "1.7.4"}, {2024, "1.8.0 1.9.0"},
    {2025, "1.10.0 1.11.0 1.12.0 1.13.0"},
};

bool open_peer(peer *peer, char *, size_t)
{
    std::string options = faiss::get_compile_options();
    options.erase(options.find_last_not_of(' ') + 1);
    char number[48];
    snprintf(number, sizeof number, "%d.%d.%d", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR,
             FAISS_VERSION_PATCH);
    release_say(peer, "FAISS", number, years, std::size(years));
    snprintf(peer->kernel, sizeof peer->kernel, "%s, OpenBLAS %s", options.c_str(),
             openblas_get_corename());
    return true;
}

} // namespace

extern MMK_API peer mmk_peer_sq8, mmk_peer_sq8_refine2, mmk_peer_sq8_refine4;

peer mmk_peer = {.name = "faiss",
                 .state = &prepared_flat,
                 .runs = runs,
                 .open = open_peer,
                 .close = close_peer,
                 .prepare = prepare};
peer mmk_peer_sq8 = {.name = "faiss-sq8",
                     .about = &codes_alone,
                     .state = &prepared_sq8,
                     .runs = runs_codes,
                     .open = open_peer,
                     .close = close_peer,
                     .prepare = prepare};
peer mmk_peer_sq8_refine2 = {.name = "faiss-sq8-refine2",
                             .about = &codes_refine2,
                             .state = &prepared_refine2,
                             .runs = runs_codes,
                             .open = open_peer,
                             .close = close_peer,
                             .prepare = prepare};
peer mmk_peer_sq8_refine4 = {.name = "faiss-sq8-refine4",
                             .about = &codes_refine4,
                             .state = &prepared_refine4,
                             .runs = runs_codes,
                             .open = open_peer,
                             .close = close_peer,
                             .prepare = prepare};

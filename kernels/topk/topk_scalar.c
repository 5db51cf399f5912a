/* topk_scalar.c - top-k's inner loops in portable C.
 * SPDX-License-Identifier: MIT
 *
 * The loops run over 16 lanes without branches, so that a compiler may make vectors of them: this
 * file is also the "autovec" baseline. What no compiler makes of it is collect and compact (a
 * conditional store to a running position stays scalar) and the sort.
 */
#include "topk.h"

#include "order.h"

enum { LANES = 16, SORT_MAX = 32 };

static void topk_maxima_scalar(size_t n, const float *scores, size_t depth, float *maxima)
{
    while (n > 0) {
        for (size_t l = 0; l < LANES; l++)
            maxima[l] = -INFINITY;
        size_t row = 0;
        for (; row < depth && n >= LANES; row++) {
            for (size_t l = 0; l < LANES; l++)
                maxima[l] = simd_max(scores[l], maxima[l]);
            scores += LANES;
            n -= LANES;
        }
        if (row < depth) {
            for (size_t l = 0; l < n; l++)
                maxima[l] = simd_max(scores[l], maxima[l]);
            n = 0;
        }
        maxima += LANES;
    }
}

static void topk_range_scalar(size_t n, const float *values, float *least, float *greatest)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *least = low;
    *greatest = high;
}

static void topk_fold_scalar(size_t n, const float *maxima, size_t depth, float *folded)
{
    for (size_t rows; n > 0; n -= rows * LANES, maxima += rows * LANES, folded += LANES) {
        rows = n / LANES < depth ? n / LANES : depth;
        for (size_t l = 0; l < LANES; l++)
            folded[l] = maxima[l];
        for (size_t i = 1; i < rows; i++)
            for (size_t l = 0; l < LANES; l++)
                folded[l] = simd_max(maxima[i * LANES + (l + i) % LANES], folded[l]);
    }
}

static void topk_between_scalar(size_t n, const float *values, float above, float below,
                                float *least, float *greatest)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        bool in = values[i] > above && values[i] < below;
        low = in && values[i] < low ? values[i] : low;
        high = in && values[i] > high ? values[i] : high;
    }
    *least = low;
    *greatest = high;
}

static size_t topk_count_scalar(size_t n, const float *values, float at_least)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += values[i] >= at_least;
    return count;
}

static size_t topk_list_scalar(size_t blocks, const float *maxima, float at_least, uint32_t *list)
{
    size_t listed = 0;
    for (size_t b = 0; b < blocks; b++) {
        uint32_t here = 0;
        for (size_t l = 0; l < LANES; l++)
            here += maxima[b * LANES + l] >= at_least;
        list[listed] = (uint32_t)b;
        listed += here > 0;
    }
    return listed;
}

static size_t topk_collect_scalar(const struct topk_blocks *blocks, float at_least, size_t *next,
                                  float *values, uint32_t *indices, size_t room)
{
    size_t block = blocks->depth * LANES;
    size_t count = 0, i = *next;
    for (; i < blocks->listed; i++) {
        size_t begin = blocks->list[i] * block;
        size_t end = blocks->n - begin < block ? blocks->n : begin + block;
        if (room - count < end - begin)
            break;
        for (size_t at = begin; at < end; at++) {
            float value = blocks->scores[at];
            values[count] = value;
            indices[count] = blocks->first_index + (uint32_t)at;
            count += value >= at_least;
        }
    }
    *next = i;
    return count;
}

static size_t topk_compact_scalar(size_t n, float *values, uint32_t *indices, float at_least)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        float value = values[i];
        values[count] = value;
        indices[count] = indices[i];
        count += value >= at_least;
    }
    return count;
}

static bool topk_pack_scalar(size_t n, const float *values, const uint32_t *indices, uint64_t *keys)
{
    uint32_t negative_zeros = 0;
    for (size_t i = 0; i < n; i++) {
        negative_zeros |= simd_bits(values[i]) == 0x80000000u;
        keys[i] = (uint64_t)topk_order(values[i]) << 32 | (uint32_t)~indices[i];
    }
    return negative_zeros != 0;
}

static uint64_t *topk_sort_scalar(size_t n, uint64_t *keys)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        size_t at = i;
        for (; at > 0 && keys[at - 1] < key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
    return keys;
}

static void topk_unpack_scalar(size_t n, const uint64_t *keys, float *values, uint32_t *indices)
{
    if (values != NULL)
        for (size_t i = 0; i < n; i++)
            values[i] = topk_value((uint32_t)(keys[i] >> 32));
    if (indices != NULL)
        for (size_t i = 0; i < n; i++)
            indices[i] = ~(uint32_t)keys[i];
}

const struct topk_ops topk_ops_scalar = {
    .lanes = LANES,
    .sort_max = SORT_MAX,
    .maxima = topk_maxima_scalar,
    .fold = topk_fold_scalar,
    .range = topk_range_scalar,
    .between = topk_between_scalar,
    .count = topk_count_scalar,
    .list = topk_list_scalar,
    .collect = topk_collect_scalar,
    .compact = topk_compact_scalar,
    .pack = topk_pack_scalar,
    .sort = topk_sort_scalar,
    .unpack = topk_unpack_scalar,
};

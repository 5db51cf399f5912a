/* topk_stream.c - the running selection behind top-k: thresholds, the buffer, the final order.
 * SPDX-License-Identifier: MIT
 *
 * Plain C, once for all ISAs; topk.h tells the method. Worst case O(n) for the passes over the
 * scores plus O(32 k) for each time that the buffer fills with more than k new candidates.
 */
#include "topk.h"

#include "order.h"

#include <string.h>

enum {
    BUFFER_EXTRA = 2 * TOPK_BLOCK_MAX, /* the buffer holds 2k and this */
    GROUPS_MIN = 4096,                 /* maxima are worked on in stretches of this many, or 4k */
    GROUPS_PER_RESULT = 3,             /* maxima for each result wanted: the threshold is good */
    FOLDED_PER_RESULT = 6,             /* after folding for the bisection */
    RADIX = 256
};

static size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t power_of_two_above(size_t n)
{
    size_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static size_t stream_capacity(size_t k, size_t n)
{
    return round_up(size_min(2 * k + BUFFER_EXTRA, n), 16);
}

static size_t scratch_groups(size_t k)
{
    return round_up(size_max(4 * k, GROUPS_MIN), 16);
}

/* The most candidates that finish() sorts. */
static size_t finish_limit(size_t k, size_t sort_max)
{
    size_t power = power_of_two_above(k);
    return power <= sort_max ? size_max(power, 16) : k + k / 4;
}

size_t topk_stream_bytes(size_t k, size_t n)
{
    return (stream_capacity(k, n) + TOPK_PAD) * (sizeof(float) + sizeof(uint32_t));
}

size_t topk_scratch_bytes(size_t k)
{
    size_t groups = scratch_groups(k);
    size_t keys = 2 * size_max(2 * k, 16) + TOPK_PAD;
    return keys * sizeof(uint64_t) + (groups + TOPK_PAD) * sizeof(float) +
           (groups / 4 + TOPK_PAD) * (sizeof(float) + sizeof(uint32_t));
}

void topk_stream_init(struct topk_stream *stream, size_t k, size_t n, void *memory)
{
    stream->k = k;
    stream->capacity = stream_capacity(k, n);
    stream->values = memory;
    stream->indices = (uint32_t *)(void *)(stream->values + stream->capacity + TOPK_PAD);
    topk_stream_reset(stream);
}

void topk_stream_reset(struct topk_stream *stream)
{
    stream->count = 0;
    stream->open = true;
    stream->at_least = -INFINITY;
}

void topk_scratch_init(struct topk_scratch *scratch, size_t k, void *memory)
{
    size_t keys = 2 * size_max(2 * k, 16) + TOPK_PAD;
    scratch->groups = scratch_groups(k);
    scratch->keys = memory;
    scratch->maxima = (float *)(void *)(scratch->keys + keys);
    scratch->folded = scratch->maxima + scratch->groups + TOPK_PAD;
    scratch->list = (uint32_t *)(void *)(scratch->folded + scratch->groups / 4 + TOPK_PAD);
}

/* ---- Threshold ------------------------------------------------------------------------------ */

/* A value that at least k of the n values reach, and at most limit of them unless it is the k-th
 * largest itself and has equals. NaN when fewer than k values are numbers. */
static float threshold_of(const struct topk_ops *ops, size_t n, const float *values, size_t k,
                          size_t limit)
{
    float least, greatest;
    ops->range(n, values, &least, &greatest);
    if (ops->count(n, values, greatest) >= k)
        return greatest;
    size_t reached = ops->count(n, values, least);
    if (reached < k)
        return simd_from_bits(0x7fc00000u);
    /* low is reached by k or more, high by fewer */
    uint32_t low = topk_order(least), high = topk_order(greatest);
    while (reached > limit && high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        size_t count = ops->count(n, values, topk_value(middle));
        if (count >= k) {
            low = middle;
            reached = count;
        } else {
            high = middle;
        }
    }
    return topk_value(low);
}

static void raise_threshold(struct topk_stream *stream, float at_least)
{
    if (stream->open || at_least > stream->at_least || at_least != at_least)
        stream->at_least = at_least;
    stream->open = false;
}

/* The buffer holds nothing that comes after at_least, but too many that equal it (NaN: too many
 * NaNs). Keeps of these, the first ones, as many as k leaves beside the ones above. */
static void keep_exactly(const struct topk_ops *ops, struct topk_stream *stream, float at_least)
{
    float above = topk_next_above(at_least);
    size_t equal = stream->k - ops->count(stream->count, stream->values, above);
    /* How long the part is in which so many equals stand. */
    size_t part = equal;
    for (;;) {
        size_t longer = equal + ops->count(part, stream->values, above);
        if (longer == part)
            break;
        part = longer;
    }
    stream->count = part + ops->compact(stream->count - part, stream->values + part,
                                        stream->indices + part, above);
}

/* Cuts the buffer, which holds more than k, back to at most limit. What comes later has a greater
 * index, so it must be above the new threshold. */
static void refine(const struct topk_ops *ops, struct topk_stream *stream, size_t limit)
{
    float at_least = threshold_of(ops, stream->count, stream->values, stream->k, limit);
    if (at_least == at_least)
        stream->count = ops->compact(stream->count, stream->values, stream->indices, at_least);
    if (stream->count > limit)
        keep_exactly(ops, stream, at_least);
    raise_threshold(stream, topk_next_above(at_least));
}

/* ---- Push ----------------------------------------------------------------------------------- */

/* How deep the blocks are; 0 when there are too few scores for a first threshold. */
static size_t block_depth(const struct topk_ops *ops, const struct topk_stream *stream, size_t n)
{
    size_t depth = n >= 64 * ops->lanes ? TOPK_DEPTH_MAX : 4;
    if (!stream->open)
        return depth;
    if (n < 4 * ops->lanes)
        return 0;
    while (depth > 2 && n / depth < GROUPS_PER_RESULT * stream->k)
        depth /= 2;
    return n / depth < 2 * stream->k ? 0 : depth;
}

/* The threshold that the maxima of a stretch give; -Inf or NaN when they give none. */
static float group_threshold(const struct topk_ops *ops, const struct topk_scratch *scratch,
                             size_t k, size_t groups)
{
    const float *maxima = scratch->maxima;
    size_t fold = groups / (FOLDED_PER_RESULT * size_max(k, 2 * ops->lanes / 3));
    if (fold >= 4) {
        fold = size_min(fold, TOPK_DEPTH_MAX) & ~(size_t)1;
        ops->maxima(groups, maxima, fold, scratch->folded);
        maxima = scratch->folded;
        groups = round_up(groups, fold * ops->lanes) / fold;
    }
    return threshold_of(ops, groups, maxima, k, k + k / 16 + 1);
}

/* Takes the first of n scores as they are, until the buffer is full; returns how many. */
static size_t push_all(struct topk_stream *stream, size_t n, const float *scores,
                       uint32_t first_index)
{
    size_t taken = size_min(n, stream->capacity - stream->count);
    memcpy(stream->values + stream->count, scores, taken * sizeof *scores);
    for (size_t i = 0; i < taken; i++)
        stream->indices[stream->count + i] = first_index + (uint32_t)i;
    stream->count += taken;
    return taken;
}

/* Collects the blocks of a stretch that reach the threshold. */
static void push_blocks(const struct topk_ops *ops, struct topk_stream *stream,
                        const struct topk_scratch *scratch, struct topk_blocks *blocks,
                        size_t block_count)
{
    size_t k = stream->k, next = 0;
    size_t block = blocks->depth * ops->lanes;
    size_t before = stream->count;
    bool paused = false;
    blocks->listed = ops->list(block_count, scratch->maxima, stream->at_least, scratch->list);
    for (;;) {
        size_t room = stream->capacity - stream->count;
        /* Stop early once to look: when k are found that reach the threshold, what only equals it
         * comes too late. That ends the matter for rows of few distinct scores. */
        if (!paused && room > k + block)
            room = k + block;
        stream->count +=
            ops->collect(blocks, stream->at_least, &next, stream->values + stream->count,
                         stream->indices + stream->count, room);
        if (next == blocks->listed)
            return;
        if (!paused && stream->count - before >= k)
            raise_threshold(stream, topk_next_above(stream->at_least));
        else
            refine(ops, stream, k + k / 4);
        paused = true;
        if (blocks->listed - next > 2) {
            uint32_t from = scratch->list[next];
            size_t all = blocks->listed =
                ops->list(block_count - from, scratch->maxima + from * ops->lanes, stream->at_least,
                          scratch->list);
            for (size_t i = 0; i < all; i++)
                scratch->list[i] += from;
            next = 0;
        }
    }
}

void topk_stream_push(const struct topk_ops *ops, struct topk_stream *stream,
                      const struct topk_scratch *scratch, size_t n, const float *scores,
                      uint32_t first_index)
{
    while (n > 0) {
        size_t depth = block_depth(ops, stream, n);
        size_t taken = 0;
        if (depth > 0) {
            size_t block = depth * ops->lanes;
            taken = size_min(n, scratch->groups / ops->lanes * block);
            size_t count = (taken + block - 1) / block;
            struct topk_blocks blocks = {taken, depth, scores, first_index, 0, scratch->list};
            size_t groups = count * ops->lanes;
            ops->maxima(taken, scores, depth, scratch->maxima);
            /* Rising scores: this stretch alone gives a better threshold than all before it. */
            if (stream->open ||
                ops->count(groups, scratch->maxima, stream->at_least) > stream->k + stream->k / 2) {
                float at_least = group_threshold(ops, scratch, stream->k, groups);
                if (at_least > -INFINITY)
                    raise_threshold(stream, at_least);
            }
            if (stream->open)
                taken = 0;
            else
                push_blocks(ops, stream, scratch, &blocks, count);
        }
        if (taken == 0) {
            taken = push_all(stream, n, scores, first_index);
            if (taken < n)
                refine(ops, stream, stream->k + stream->k / 4);
        }
        n -= taken;
        scores += taken;
        first_index += (uint32_t)taken;
    }
}

/* ---- Finish --------------------------------------------------------------------------------- */

/* Stable radix sort of the high halves, greatest first; keys has room for 2n. The low halves are in
 * order already, as the buffer is. */
static uint64_t *radix_sort(size_t n, uint64_t *keys)
{
    uint32_t least = UINT32_MAX, greatest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t order = (uint32_t)(keys[i] >> 32);
        least = order < least ? order : least;
        greatest = order > greatest ? order : greatest;
    }
    uint32_t spread = greatest - least;
    uint64_t *from = keys, *to = keys + n;
    for (int shift = 0; shift < 32 && spread >> shift != 0; shift += 8) {
        size_t place[RADIX] = {0};
        for (size_t i = 0; i < n; i++)
            place[(greatest - (uint32_t)(from[i] >> 32)) >> shift & (RADIX - 1)]++;
        size_t sum = 0;
        for (int r = 0; r < RADIX; r++) {
            size_t here = place[r];
            place[r] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            to[place[(greatest - (uint32_t)(from[i] >> 32)) >> shift & (RADIX - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* The keys do not tell -0 from +0. Equal values stand in the order of their indices, as the buffer
 * does, so one walk along both finds where the zeros came from. */
static void restore_negative_zeros(const struct topk_stream *stream, size_t n, const uint64_t *keys,
                                   float *values)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (keys[i] >> 32 != TOPK_ORDER_ZERO)
            continue;
        while (stream->indices[at] != ~(uint32_t)keys[i])
            at++;
        values[i] = stream->values[at];
    }
}

size_t topk_stream_finish(const struct topk_ops *ops, struct topk_stream *stream,
                          const struct topk_scratch *scratch, float *values, uint32_t *indices)
{
    size_t limit = finish_limit(stream->k, ops->sort_max);
    if (stream->count > limit)
        refine(ops, stream, limit);
    size_t n = size_min(stream->k, stream->count);
    uint64_t *keys = scratch->keys;
    bool negative_zeros = ops->pack(stream->count, stream->values, stream->indices, keys);
    if (stream->count <= ops->sort_max)
        ops->sort(stream->count, keys);
    else
        keys = radix_sort(stream->count, keys);
    ops->unpack(n, keys, values, indices);
    if (negative_zeros && values != NULL)
        restore_negative_zeros(stream, n, keys, values);
    return n;
}

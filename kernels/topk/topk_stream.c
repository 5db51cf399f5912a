/* topk_stream.c - the running selection behind top-k: thresholds, the buffer, the final order.
 * SPDX-License-Identifier: MIT
 *
 * Plain C, once for all ISAs; topk.h tells the method. No input makes it quadratic: a stretch of
 * the row is read three times at most, four at its beginning; the bisection for its threshold takes
 * at most 32 passes over its maxima, and the buffer is refined (at most 32 passes over it) only
 * after it took in 3/4 k new candidates or more. The radix sort of the end is linear.
 */
#include "topk_stream.h"

#include "order.h"
#include "../call/size.h"

#include <string.h>

enum {
    BUFFER_EXTRA = 2 * TOPK_BLOCK_MAX, /* the buffer holds 2k and this */
    GROUPS_MIN = 4096,                 /* maxima are worked on in stretches of this many, or 4k */
    FOLDED_PER_RESULT = 6,             /* after folding for the bisection */
    PAUSE_EXTRA = 16,                  /* candidates beyond 1.5k before a look at ties */
    RADIX = 256,
    DIGITS = 4 /* of the 32-bit order */
};

static size_t power_of_two_above(size_t n)
{
    size_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

/* ---- Memory --------------------------------------------------------------------------------- */

size_t topk_push_capacity(size_t k, size_t n)
{
    return size_round_up(size_min(2 * k + BUFFER_EXTRA, n), 16);
}

static size_t scratch_groups(size_t k)
{
    return size_round_up(size_max(4 * k, GROUPS_MIN), 16);
}

/* The most candidates that finish() sorts. */
static size_t finish_limit(size_t k, size_t sort_max)
{
    size_t power = power_of_two_above(k);
    return power <= sort_max ? size_max(power, 16) : k + k / 4;
}

size_t topk_stream_bytes(size_t capacity)
{
    return (capacity + TOPK_PAD) * (sizeof(float) + sizeof(uint32_t));
}

size_t topk_scratch_bytes(size_t k)
{
    size_t groups = scratch_groups(k);
    size_t keys = 2 * size_max(2 * k, 16) + TOPK_PAD;
    return keys * sizeof(uint64_t) + (groups + TOPK_PAD) * sizeof(float) +
           (groups / 4 + TOPK_PAD) * (sizeof(float) + sizeof(uint32_t));
}

void topk_stream_init(struct topk_stream *stream, size_t k, size_t capacity, void *memory)
{
    stream->k = k;
    stream->capacity = capacity;
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
    if (k == 1 && greatest > -INFINITY)
        return greatest;
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
        /* selects, not a branch: which half it is cannot be foretold */
        bool enough = count >= k;
        low = enough ? middle : low;
        high = enough ? high : middle;
        reached = enough ? count : reached;
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
    size_t equal =
        stream->k - size_min(stream->k, ops->count(stream->count, stream->values, above));
    /* The part that stays as it is holds so many equals, and the greater ones between them. */
    size_t part = equal, seen = 0;
    while (seen < part) {
        size_t greater = ops->count(part - seen, stream->values + seen, above);
        seen = part;
        part += greater;
    }
    stream->count = part + ops->compact(stream->count - part, stream->values + part,
                                        stream->indices + part, above);
}

/* Cuts the buffer, which holds more than limit >= k, back to at most limit. What comes later has a
 * greater index, so it must be above the new threshold. */
static void refine(const struct topk_ops *ops, struct topk_stream *stream, size_t limit)
{
    float at_least = threshold_of(ops, stream->count, stream->values, stream->k, limit);
    if (at_least == at_least)
        stream->count = ops->compact(stream->count, stream->values, stream->indices, at_least);
    if (stream->count > limit)
        keep_exactly(ops, stream, at_least);
    /* Needed only where denormals are switched off, so that above is not above. They never are (see
     * fp_state.h), but the buffer's bounds must hold whatever the floating point does. */
    stream->count = size_min(stream->count, limit);
    raise_threshold(stream, topk_next_above(at_least));
}

void topk_stream_refine(const struct topk_ops *ops, struct topk_stream *stream)
{
    if (stream->count > topk_refined(stream->k))
        refine(ops, stream, topk_refined(stream->k));
}

void topk_stream_join(const struct topk_ops *ops, struct topk_stream *out, struct topk_stream *a,
                      struct topk_stream *b)
{
    topk_stream_refine(ops, a);
    topk_stream_refine(ops, b);
    topk_stream_reset(out);
    for (size_t i = 0, j = 0; i < a->count || j < b->count; out->count++) {
        bool from_a = j == b->count || (i < a->count && a->indices[i] < b->indices[j]);
        out->values[out->count] = from_a ? a->values[i] : b->values[j];
        out->indices[out->count] = from_a ? a->indices[i] : b->indices[j];
        i += from_a;
        j += !from_a;
    }
    topk_stream_refine(ops, out);
}

/* ---- Push ----------------------------------------------------------------------------------- */

/* How deep the blocks are; 0 when there are too few scores for a first threshold. Deep blocks make
 * few maxima; shallow ones leave less to read again, which pays only while most blocks are not
 * listed. */
static size_t block_depth(const struct topk_ops *ops, const struct topk_stream *stream, size_t n)
{
    if (!stream->open)
        return n >= 64 * ops->lanes ? TOPK_DEPTH_MAX : 4;
    if (n < 4 * ops->lanes || n < 3 * stream->k)
        return 0;
    size_t depth = TOPK_DEPTH_MAX;
    if (n / (2 * ops->lanes) >= stream->k) {
        while (depth > 2 && n / (depth * ops->lanes) < 2 * size_max(stream->k, 4))
            depth /= 2;
    } else {
        while (depth > 2 && n / depth < stream->k + stream->k / 2)
            depth /= 2;
    }
    return depth;
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
        groups = size_round_up(groups, fold * ops->lanes) / fold;
    }
    return threshold_of(ops, groups, maxima, k, k + k / 16 + 2);
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
        /* Stop once to look, where random scores have been read to the end: k that reach the
         * threshold are found, so what only equals it comes too late. That ends the matter for rows
         * of few distinct scores. */
        if (!paused)
            room = size_min(room, k + k / 2 + PAUSE_EXTRA + block);
        stream->count +=
            ops->collect(blocks, stream->at_least, &next, stream->values + stream->count,
                         stream->indices + stream->count, room);
        if (next == blocks->listed)
            return;
        if (!paused && stream->count - before >= k)
            raise_threshold(stream, topk_next_above(stream->at_least));
        else
            refine(ops, stream, topk_refined(k));
        paused = true;
        /* The rest of the list was made with the old threshold. */
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
            size_t count = size_blocks(taken, block);
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
                refine(ops, stream, topk_refined(stream->k));
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
    /* Digits of the distance from the greatest: fewer of them, as the best scores are close. */
    uint32_t place[DIGITS][RADIX] = {{0}};
    for (size_t i = 0; i < n; i++) {
        uint32_t below = greatest - (uint32_t)(keys[i] >> 32);
        for (int d = 0; d < DIGITS; d++)
            place[d][below >> 8 * d & (RADIX - 1)]++;
    }
    uint64_t *from = keys, *to = keys + n;
    for (int d = 0; d < DIGITS && (greatest - least) >> 8 * d != 0; d++) {
        uint32_t sum = 0;
        for (int r = 0; r < RADIX; r++) {
            uint32_t here = place[d][r];
            place[d][r] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++) {
            uint32_t below = greatest - (uint32_t)(from[i] >> 32);
            to[place[d][below >> 8 * d & (RADIX - 1)]++] = from[i];
        }
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
    if (stream->count == 1) {
        if (values != NULL)
            values[0] = simd_canonical_nan(stream->values[0]);
        if (indices != NULL)
            indices[0] = stream->indices[0];
        return n;
    }
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

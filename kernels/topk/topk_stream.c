/* topk_stream.c - the running selection behind top-k: thresholds, the buffer, the final order.
 * SPDX-License-Identifier: MIT
 *
 * Plain C, once for all ISAs; topk.h tells the method. A random row is read once, and the blocks
 * with results again. What costs more, and how it is kept within about twice that:
 *
 *   in order      The best scores stand side by side: few blocks reach the threshold, with all
 *                 of their scores. They are taken again in blocks of a quarter of the depth.
 *   rising        Each stretch beats those before: the rest of the row is sampled (peek).
 *   one lane      What comes again every lanes-th score would be in few maxima: fold() rotates.
 *   equals        A bisection between two that are equal takes all 32 bits: narrow() sees that
 *                 nothing stands between. The same for outliers.
 *   NaN, -Inf     Their maxima tell nothing: blocks with numbers are counted (list_numbers).
 *
 * Rising scores with a NaN between any two cost up to 2.3 times a random row at k = 1000, all NaN
 * 1.8 to 2.2 times at k = 1: there the second look is as much as all the rest.
 *
 * No input makes it quadratic: a part is taken again only if it is a quarter of what is listed, and
 * twice at most; a bisection takes at most 32 passes over the maxima, and some to narrow it; the
 * buffer is refined only after it took in 3/4 k new candidates or more. The radix sort of the end
 * is linear.
 */
#include "topk_stream.h"

#include "order.h"
#include "../call/size.h"

#include <float.h>
#include <string.h>

enum {
    BUFFER_EXTRA = 2 * TOPK_BLOCK_MAX, /* the buffer holds 2k and this */
    GROUPS_MIN = 4096,                 /* maxima are worked on in stretches of this many, or 4k */
    FOLDED_PER_RESULT = 6,             /* after folding for the bisection */
    PAUSE_EXTRA = 16,                  /* candidates beyond 2k before a look at the rest */
    LOOK_PASSES = 12,   /* of a bisection, before it looks for values that are there */
    STUCK_PASSES = 5,   /* the same where none of them has raised the threshold */
    PEEK_DEPTH = 4,     /* of the blocks that are looked at far ahead */
    PEEK_EXTRA = 16,    /* maxima beyond 2k that are worth that look */
    GREATEST_STEP = 32, /* blocks that are looked through for the greatest at a time */
    NUMBERS_STEP = 8,   /* blocks that are looked through for numbers at a time */
    FINE_DEPTH = 2,     /* least depth */
    RADIX = 256,
    DIGITS = 4 /* of the 32-bit order */
};

/* What random rows hardly come to stays out of the way of what they do. */
#define RARE __attribute__((noinline))

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

/* Room behind the maxima for refined candidates. */
static size_t joint_room(size_t k)
{
    return size_round_up(topk_refined(k), 16);
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
    return keys * sizeof(uint64_t) + (groups + joint_room(k) + TOPK_PAD) * sizeof(float) +
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
    scratch->folded = scratch->maxima + scratch->groups + joint_room(k) + TOPK_PAD;
    scratch->list = (uint32_t *)(void *)(scratch->folded + scratch->groups / 4 + TOPK_PAD);
}

/* ---- Threshold ------------------------------------------------------------------------------ */

/* Where a bisection takes long there are equals or outliers: many bits between low and high, but
 * few values. Moves both to values that are there; false if low is the k-th largest. */
static RARE bool narrow(const struct topk_ops *ops, size_t n, const float *values, size_t k,
                        uint32_t *low, uint32_t *high, size_t *reached)
{
    float least, greatest;
    ops->between(n, values, topk_value(*low), topk_value(*high), &least, &greatest);
    if (least > greatest)
        return false;
    *high = topk_order(greatest) + 1;
    size_t count = ops->count(n, values, least);
    if (count < k)
        return false;
    *low = topk_order(least);
    *reached = count;
    return true;
}

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
    for (int pass = 1; reached > limit && high - low > 1; pass++) {
        uint32_t middle = low + (high - low) / 2;
        size_t count = ops->count(n, values, topk_value(middle));
        /* selects, not a branch: which half it is cannot be foretold */
        bool enough = count >= k;
        low = enough ? middle : low;
        high = enough ? high : middle;
        reached = enough ? count : reached;
        if ((pass % LOOK_PASSES == 0 || (pass == STUCK_PASSES && low == topk_order(least))) &&
            !narrow(ops, n, values, k, &low, &high, &reached))
            break;
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
 * listed. All of a row that is not long is one stretch: the threshold of a part is a worse one. */
static size_t block_depth(const struct topk_ops *ops, const struct topk_stream *stream,
                          size_t groups, size_t n)
{
    if (!stream->open)
        return n >= 64 * ops->lanes ? TOPK_DEPTH_MAX : 4;
    if (n < 4 * ops->lanes || n < 3 * stream->k)
        return 0;
    size_t depth = TOPK_DEPTH_MAX;
    if (n / (2 * ops->lanes) >= stream->k) {
        while (depth > 2 && n / (depth * ops->lanes) < 2 * size_max(stream->k, 4) &&
               n / (depth / 2) <= groups)
            depth /= 2;
    } else {
        while (depth > 2 && n / depth < stream->k + stream->k / 2)
            depth /= 2;
    }
    return depth;
}

/* The threshold that the maxima of a stretch give; -Inf when they give none. */
static float group_threshold(const struct topk_ops *ops, const struct topk_scratch *scratch,
                             size_t k, size_t groups)
{
    const float *maxima = scratch->maxima;
    size_t fold = groups / (FOLDED_PER_RESULT * size_max(k, 2 * ops->lanes / 3));
    if (fold >= (k == 1 ? 8 : 4)) { /* one pass for the greatest is cheap */
        fold = size_min(fold, TOPK_DEPTH_MAX) & ~(size_t)1;
        if (k == 1) /* one greatest: wherever it stands */
            ops->maxima(groups, maxima, fold, scratch->folded);
        else
            ops->fold(groups, maxima, fold, scratch->folded);
        groups = size_round_up(groups, fold * ops->lanes) / fold;
        maxima = scratch->folded;
    }
    return threshold_of(ops, groups, maxima, k, k + k / 16 + 2);
}

/* Raises the threshold to what the candidates and n maxima give together: they are of different
 * scores. The candidates are copied behind the maxima. */
static RARE void raise_jointly(const struct topk_ops *ops, struct topk_stream *stream, size_t n,
                               float *maxima)
{
    size_t k = stream->k;
    topk_stream_refine(ops, stream);
    memcpy(maxima + n, stream->values, stream->count * sizeof(float));
    raise_threshold(stream, threshold_of(ops, n + stream->count, maxima, k, k + k / 4));
}

/* Raises the threshold by what stands far ahead: blocks in equal distances. */
static RARE void peek(const struct topk_ops *ops, struct topk_stream *stream,
                      const struct topk_scratch *scratch, size_t n, const float *scores)
{
    size_t block = PEEK_DEPTH * ops->lanes;
    size_t count = size_min(scratch->groups / ops->lanes, 64 + 2 * stream->k);
    size_t distance = n / count;
    if (distance < block)
        return;
    for (size_t i = 0; i < count; i++)
        ops->maxima(block, scores + (i + 1) * distance - block, PEEK_DEPTH,
                    scratch->maxima + i * ops->lanes);
    raise_jointly(ops, stream, count * ops->lanes, scratch->maxima);
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

/* Lists the blocks from one on with a score that reaches the threshold. */
static void list_blocks(const struct topk_ops *ops, float at_least,
                        const struct topk_scratch *scratch, struct topk_blocks *blocks, size_t from,
                        size_t end)
{
    uint32_t *list = scratch->list + blocks->listed;
    size_t listed = ops->list(end - from, scratch->maxima + from * ops->lanes, at_least, list);
    for (size_t i = 0; from > 0 && i < listed; i++)
        list[i] += (uint32_t)from;
    blocks->listed += listed;
}

/* Lists the blocks with a number, which their maxima do not tell; returns how many numbers. From
 * the k-th on an -Inf comes too late, and the maxima do. */
static RARE size_t list_numbers(const struct topk_ops *ops, const struct topk_scratch *scratch,
                                size_t k, struct topk_blocks *blocks, size_t block_count)
{
    size_t block = blocks->depth * ops->lanes, numbers = 0, b = 0;
    while (b < block_count && numbers < k) {
        size_t end = size_min(b + NUMBERS_STEP, block_count);
        size_t at = b * block, n = size_min(end * block, blocks->n) - at;
        size_t here = ops->count(n, blocks->scores + at, -INFINITY);
        numbers += here;
        bool all = here == n;
        for (; b < end && here > 0; b++) {
            at = b * block;
            n = size_min(blocks->n - at, block);
            size_t count = all ? n : ops->count(n, blocks->scores + at, -INFINITY);
            scratch->list[blocks->listed] = (uint32_t)b;
            blocks->listed += count != 0;
            here -= count;
        }
        b = end;
    }
    list_blocks(ops, -FLT_MAX, scratch, blocks, b, block_count);
    return numbers;
}

/* The first scores of all, with fewer than k numbers among them: takes the first NaNs for those
 * that are missing, and every number up to the end of a block. The list is left with the rest. */
static RARE void push_first_nans(const struct topk_ops *ops, struct topk_stream *stream,
                                 const struct topk_scratch *scratch, struct topk_blocks *blocks,
                                 size_t numbers)
{
    size_t part = stream->k - numbers, seen = 0;
    while (seen < part) {
        size_t more = ops->count(part - seen, blocks->scores + seen, -INFINITY);
        seen = part;
        part += more;
    }
    push_all(stream, part, blocks->scores, blocks->first_index);
    size_t block = blocks->depth * ops->lanes, listed = 0;
    size_t end = size_min(size_round_up(part, block), blocks->n);
    for (size_t i = part; i < end; i++) {
        stream->values[stream->count] = blocks->scores[i];
        stream->indices[stream->count] = blocks->first_index + (uint32_t)i;
        stream->count += blocks->scores[i] >= -INFINITY;
    }
    for (size_t i = 0; i < blocks->listed; i++) {
        scratch->list[listed] = scratch->list[i];
        listed += scratch->list[i] >= end / block + (end % block != 0);
    }
    blocks->listed = listed;
}

/* The list from *next on was made with an older threshold: leaves what reaches this one. Returns
 * how many of the maxima between the first and the last listed block do. */
static size_t relist(const struct topk_ops *ops, const struct topk_stream *stream,
                     const struct topk_scratch *scratch, struct topk_blocks *blocks, size_t *next)
{
    size_t from = scratch->list[*next], end = scratch->list[blocks->listed - 1] + 1;
    blocks->listed = *next = 0;
    list_blocks(ops, stream->at_least, scratch, blocks, from, end);
    return ops->count((end - from) * ops->lanes, scratch->maxima + from * ops->lanes,
                      stream->at_least);
}

/* How many scores from the first listed block on are worth smaller blocks, whose maxima tell more:
 * none, unless the best ones stand side by side, as in rows that are in order. */
static size_t dense_part(const struct topk_ops *ops, size_t k, const struct topk_blocks *blocks,
                         size_t reached)
{
    const uint32_t *list = blocks->list;
    size_t block = blocks->depth * ops->lanes, listed = blocks->listed;
    if (blocks->depth <= FINE_DEPTH || 16 * reached < 7 * listed * ops->lanes ||
        reached * blocks->depth <= 2 * k)
        return 0;
    /* Blocks without a gap, if they are a good part of all: what is behind is looked at again. */
    size_t run = 1, span = list[listed - 1] + 1 - list[0];
    while (run < listed && list[run] == list[0] + run)
        run++;
    return 4 * run >= span ? size_min(run * block, blocks->n - list[0] * block) : 0;
}

/* A stretch has more that reaches the threshold than a random one would have: finds a better one in
 * what was collected, and then in the maxima that are left. Returns dense_part. */
static RARE size_t look_again(const struct topk_ops *ops, struct topk_stream *stream,
                              const struct topk_scratch *scratch, struct topk_blocks *blocks,
                              size_t *next)
{
    size_t lanes = ops->lanes;
    relist(ops, stream, scratch, blocks, next);
    if (blocks->listed <= 2)
        return 0;
    topk_stream_refine(ops, stream);
    size_t reached = relist(ops, stream, scratch, blocks, next);
    if (blocks->listed <= 2)
        return 0;
    size_t dense = dense_part(ops, stream->k, blocks, reached);
    if (dense == 0 && reached > stream->k) {
        const uint32_t *list = blocks->list;
        size_t listed = blocks->listed;
        if (listed * lanes + topk_refined(stream->k) <= scratch->groups / 4) {
            for (size_t i = 0; i < listed; i++)
                memcpy(scratch->folded + i * lanes, scratch->maxima + list[i] * lanes,
                       lanes * sizeof(float));
            raise_jointly(ops, stream, listed * lanes, scratch->folded);
        } else { /* maxima behind the last listed block are of no use any more */
            raise_jointly(ops, stream, (list[listed - 1] + 1 - list[0]) * lanes,
                          scratch->maxima + list[0] * lanes);
        }
        relist(ops, stream, scratch, blocks, next);
    }
    return dense;
}

/* So many scores are to be taken in blocks that are less deep. */
struct fine {
    size_t n, depth;
};

/* Collects the listed blocks of a stretch. Returns how many of its scores are done with: not all
 * where the next ones are to be taken in smaller blocks. */
static size_t push_blocks(const struct topk_ops *ops, struct topk_stream *stream,
                          const struct topk_scratch *scratch, struct topk_blocks *blocks,
                          struct fine *fine)
{
    size_t k = stream->k, next = 0;
    size_t block = blocks->depth * ops->lanes;
    size_t before = stream->count;
    bool paused = false;
    for (;;) {
        size_t room = stream->capacity - stream->count;
        /* Stop once to look, where random scores have been read to the end: k that reach the
         * threshold are found, so what only equals it comes too late. That ends the matter for rows
         * of few distinct scores. */
        if (!paused)
            room = size_min(room, 2 * k + PAUSE_EXTRA + block);
        stream->count +=
            ops->collect(blocks, stream->at_least, &next, stream->values + stream->count,
                         stream->indices + stream->count, room);
        if (next == blocks->listed)
            return blocks->n;
        bool rose = !paused && stream->count - before >= k;
        if (rose)
            raise_threshold(stream, topk_next_above(stream->at_least));
        else
            refine(ops, stream, topk_refined(k));
        if (blocks->listed - next > 2) {
            if (paused)
                relist(ops, stream, scratch, blocks, &next);
            else if ((fine->n = look_again(ops, stream, scratch, blocks, &next)) > 0) {
                fine->depth = size_max(blocks->depth / 4, FINE_DEPTH);
                return scratch->list[0] * block;
            }
        }
        paused = true;
    }
}

/* The first of the greatest is all that is wanted: at_least is what the greatest is. */
static void push_greatest(const struct topk_ops *ops, struct topk_stream *stream,
                          struct topk_blocks *blocks)
{
    size_t next = 0;
    if (blocks->listed == 0)
        return;
    blocks->listed = 1;
    ops->collect(blocks, stream->at_least, &next, stream->values, stream->indices,
                 stream->capacity);
    stream->count = 1;
}

/* One stretch, from the first of n scores on; returns how many were taken: none where only the
 * threshold was raised by a look ahead, which `peeked` says is done. */
static size_t push_stretch(const struct topk_ops *ops, struct topk_stream *stream,
                           const struct topk_scratch *scratch, size_t n, const float *scores,
                           uint32_t first_index, size_t depth, bool peeked, struct fine *fine)
{
    size_t k = stream->k, block = depth * ops->lanes;
    size_t taken = size_min(n, scratch->groups / ops->lanes * block);
    size_t count = size_blocks(taken, block), groups = count * ops->lanes;
    struct topk_blocks blocks = {taken, depth, scores, first_index, 0, scratch->list};
    bool rose = stream->open;
    ops->maxima(taken, scores, depth, scratch->maxima);
    if (stream->open) {
        float at_least = group_threshold(ops, scratch, k, groups);
        size_t reached = at_least > -INFINITY || depth <= FINE_DEPTH || 2 * groups > scratch->groups
                             ? 0
                             : ops->count(groups, scratch->maxima, -FLT_MAX);
        /* NaN in every other place, say: there are numbers enough, but not in so few maxima. */
        if (reached > groups / 4 && reached > k / 2) {
            *fine = (struct fine){n, depth / 2};
            return 0;
        }
        if (at_least > -INFINITY)
            raise_threshold(stream, at_least);
    } else {
        bool no_number = stream->at_least == -INFINITY;
        size_t reached =
            ops->count(groups, scratch->maxima, no_number ? -FLT_MAX : stream->at_least);
        if (reached == 0 && !no_number)
            return taken;
        /* Rising scores: what comes gives a better threshold than all before it. */
        if (reached > (k == 1 ? 0 : k + k / 2)) {
            if (n >= 3 * taken && !peeked && reached > 2 * k + PEEK_EXTRA && k > 1 && !no_number) {
                peek(ops, stream, scratch, n, scores);
                return 0;
            }
            raise_jointly(ops, stream, groups, scratch->maxima);
            rose = true;
        }
    }
    if (stream->at_least > -INFINITY) {
        if (k == 1)
            for (size_t b = 0; b < count && blocks.listed == 0; b += GREATEST_STEP)
                list_blocks(ops, stream->at_least, scratch, &blocks, b,
                            size_min(b + GREATEST_STEP, count));
        else
            list_blocks(ops, stream->at_least, scratch, &blocks, 0, count);
        /* k maxima reach the threshold. Random ones are in nearly all blocks, or few in each. */
        if (rose && k > 1 && 4 * blocks.listed <= 3 * count && blocks.listed > 2 &&
            (fine->n = dense_part(ops, k, &blocks, k)) > 0) {
            fine->depth = size_max(depth / 4, FINE_DEPTH);
            return scratch->list[0] * block;
        }
    } else {
        size_t numbers = list_numbers(ops, scratch, k, &blocks, count);
        if (stream->open && numbers < k)
            push_first_nans(ops, stream, scratch, &blocks, numbers);
        raise_threshold(stream, -INFINITY);
    }
    if (k == 1) {
        push_greatest(ops, stream, &blocks);
        if (taken < n && blocks.listed > 0)
            raise_threshold(stream, topk_next_above(stream->at_least));
        return taken;
    }
    return push_blocks(ops, stream, scratch, &blocks, fine);
}

void topk_stream_push(const struct topk_ops *ops, struct topk_stream *stream,
                      const struct topk_scratch *scratch, size_t n, const float *scores,
                      uint32_t first_index)
{
    struct fine fine = {0, 0};
    bool peeked = false;
    /* at_least is NaN: k that are +Inf */
    while (n > 0 && stream->at_least == stream->at_least) {
        size_t depth = fine.n > 0 ? fine.depth : block_depth(ops, stream, scratch->groups, n);
        size_t taken;
        struct fine next = {0, 0};
        if (depth > 0) {
            taken = push_stretch(ops, stream, scratch, fine.n > 0 ? fine.n : n, scores, first_index,
                                 depth, peeked, &next);
            peeked = taken == 0;
        } else {
            taken = push_all(stream, n, scores, first_index);
            if (taken < n)
                refine(ops, stream, topk_refined(stream->k));
        }
        n -= taken;
        scores += taken;
        first_index += (uint32_t)taken;
        fine.n -= size_min(fine.n, taken);
        fine = next.n > 0 ? next : fine;
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
    keys = stream->count <= ops->sort_max ? ops->sort(stream->count, keys)
                                          : radix_sort(stream->count, keys);
    ops->unpack(n, keys, values, indices);
    if (negative_zeros && values != NULL)
        restore_negative_zeros(stream, n, keys, values);
    return n;
}

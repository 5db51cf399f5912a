/* topk_stream.h - the running selection: the first k of scores that come piece by piece (internal).
 * SPDX-License-Identifier: MIT
 *
 * topk.h tells the method. A stream keeps candidates, in the order of their indices, and the
 * threshold that a score must reach to be one.
 */
#ifndef MMK_TOPK_STREAM_H
#define MMK_TOPK_STREAM_H

#include "topk.h"

/* The best so far of everything that was pushed. Pushed indices must ascend from push to push. */
struct topk_stream {
    size_t k;
    size_t capacity; /* of the buffer */
    size_t count;    /* candidates in the buffer, in the order of their indices */
    bool open;       /* no threshold yet: every score is a candidate */
    float at_least;  /* else: only scores >= this can still be among the first k (NaN: none can) */
    float *values;
    uint32_t *indices;
};

/* Working memory of push and finish; one for many streams that take turns. */
struct topk_scratch {
    size_t groups; /* room in maxima */
    float *maxima;
    float *folded;
    uint32_t *list;
    uint64_t *keys;
};

/* Room for candidates with which a stream can be pushed to, for at most n scores in all (SIZE_MAX:
 * unknown). */
size_t topk_push_capacity(size_t k, size_t n);

/* Memory for a stream with room for `capacity` candidates, and for a scratch. k >= 1. */
size_t topk_stream_bytes(size_t capacity);
size_t topk_scratch_bytes(size_t k);

/* memory: aligned to 8 bytes, of the size above. */
void topk_stream_init(struct topk_stream *stream, size_t k, size_t capacity, void *memory);
void topk_scratch_init(struct topk_scratch *scratch, size_t k, void *memory);

/* Forgets everything that was pushed. */
void topk_stream_reset(struct topk_stream *stream);

/* Scores with the indices first_index, first_index + 1, ... */
void topk_stream_push(const struct topk_ops *ops, struct topk_stream *stream,
                      const struct topk_scratch *scratch, size_t n, const float *scores,
                      uint32_t first_index);

/* What topk_stream_refine leaves at most. */
static inline size_t topk_refined(size_t k)
{
    return k + k / 4;
}

/* Cuts a stream that holds more than topk_refined(k) candidates back to that, and raises its
 * threshold: for those who fill its buffer themselves, in the order of the indices. */
void topk_stream_refine(const struct topk_ops *ops, struct topk_stream *stream);

/* Makes `out` (capacity at least 2 topk_refined(k)) hold the candidates of two streams whose
 * indices are different, in order of these. Both are refined if need be; out holds no more than
 * refined then. */
void topk_stream_join(const struct topk_ops *ops, struct topk_stream *out, struct topk_stream *a,
                      struct topk_stream *b);

/* Writes the first k in order (either output may be NULL) and returns how many there are. The
 * stream is used up. */
size_t topk_stream_finish(const struct topk_ops *ops, struct topk_stream *stream,
                          const struct topk_scratch *scratch, float *values, uint32_t *indices);

#endif

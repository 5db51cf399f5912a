/* bin.c - .fbin files and their kin.
 * SPDX-License-Identifier: MIT
 */
#include "bin.h"

bool bin_read(struct input *in, struct vectors *v)
{
    uint32_t head[2];
    size_t bytes = stored_bytes(v->stored);
    if (!input_head(in, head))
        return false;
    /* In double, where 2^32 x 2^32 x 4 does not overflow. */
    double wanted = INPUT_HEAD_BYTES + (double)bytes * head[0] * head[1];
    if ((double)in->file.size != wanted)
        return input_fail(in,
                          "%u rows of %u %s and the 8 bytes before them are %.0f bytes, and the "
                          "file has %zu; copy or write it again",
                          head[0], head[1], stored_name(v->stored), wanted, in->file.size);
    v->rows = head[0];
    v->cols = head[1];
    return vectors_take(v, in, INPUT_HEAD_BYTES, v->cols * bytes);
}

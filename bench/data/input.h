/* input.h - a whole input file in memory, and what is said of it.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_INPUT_H
#define MMK_BENCH_INPUT_H

#include "../base/mapping.h"

#include <stdint.h>

struct input {
    const char *path;
    const char *ending; /* ".fbin": which format it is read as */
    struct mapping file;
    char *error;
    size_t error_bytes;
    bool bf16;                          /* the 16-bit integers of a .npy are bf16 */
    void (*progress)(const char *what); /* NULL: nothing is said while it is read */
};

/* The last part of a path that begins with a dot; "" where it has none. */
const char *input_ending(const char *path);

/* Maps in->path. False: error is one sentence. */
bool input_open(struct input *in);
void input_close(struct input *in);

/* False; error is the path and what the format says. */
__attribute__((format(printf, 2, 3))) bool input_fail(const struct input *in, const char *format,
                                                      ...);

/* To be called now and then: says how far a long file is, `done` bytes of `size`, of which *told
 * were when it was said last. */
void input_tell(const struct input *in, size_t done, size_t size, size_t *told);

/* What the formats of big-ann-benchmarks begin with: u32 rows, u32 columns, neither of them 0. */
enum { INPUT_HEAD_BYTES = 8 };
bool input_head(const struct input *in, uint32_t head[2]);

/* The formats of TEXMEX have rows of a 32-bit length and as many elements, of `bytes` each. Reads
 * the length of row number `row`, which begins at byte *at, and goes on to the next; *at is the
 * file's size after the last. */
bool input_next_row(const struct input *in, size_t row, size_t bytes, size_t *at, size_t *length);

#endif

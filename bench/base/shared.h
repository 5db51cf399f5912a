/* shared.h - floats that another process maps, too, by the file's name.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SHARED_H
#define MMK_BENCH_SHARED_H

#include <stdbool.h>
#include <stddef.h>

struct shared {
    float *floats; /* NULL: none */
    size_t bytes;
    int file;
};

/* No memory yet. */
#define SHARED_NONE                                                                                \
    {                                                                                              \
        .file = -1                                                                                 \
    }

/* Room for `bytes`, what was there before is lost; shared_name says how another process finds it.
 * False: no memory. */
bool shared_resize(struct shared *shared, size_t bytes);
void shared_close(struct shared *shared);
void shared_name(const struct shared *shared, char *name, size_t bytes);

#endif

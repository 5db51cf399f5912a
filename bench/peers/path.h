/* path.h - where the adapters of peers lie once they are built.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PEERS_PATH_H
#define MMK_BENCH_PEERS_PATH_H

#include <stddef.h>

/* The path of a file in lib/peers/, which lies beside the folder of this program. */
void peers_path(const char *file, char *path, size_t bytes);

#endif

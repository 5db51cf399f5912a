/* peers.h - which other libraries there are to compare with.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_PEERS_H
#define MMK_BENCH_PEERS_H

#include "peer.h"

/* The name of peer i, in the order of the tables; NULL beyond the last. */
const char *peers_name(size_t i);

/* Whether it may run the kernel; what it runs in fact it says itself, once it is found. */
bool peers_concern(size_t i, const struct kernel *kernel);

/* Whether it is a script, which takes long to start. */
bool peers_is_script(size_t i);

/* Whether it may miss results. */
bool peers_is_approximate(size_t i);

/* Peer i, not yet opened. NULL: it is not installed or not built here, and error says what is
 * missing. */
struct peer *peers_find(size_t i, char *error, size_t error_bytes);

/* Opens what peers_find returned, where it is not open yet. False: error is one sentence. */
bool peers_open(struct peer *peer, char *error, size_t error_bytes);

/* Closes those that are open. */
void peers_close(void);

#endif

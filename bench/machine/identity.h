/* identity.h - the CPU and the commit that a report names.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_IDENTITY_H
#define MMK_BENCH_IDENTITY_H

#include <stddef.h>

/* "AMD EPYC 9B45 (family 26 model 2)"; "unknown" where the machine does not say. */
void identity_cpu(char *text, size_t bytes);

/* MMK_COMMIT of the compile flags; without it git describe, now, of the repository that this
 * program lies in (.build/<arch>/bin/), "unknown" where there is none. */
void identity_commit(char *text, size_t bytes);

#endif

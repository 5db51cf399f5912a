/* fingerprint.h - one hash of all outputs per kernel and fill, the same on every machine.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_FINGERPRINT_H
#define MMK_CHECK_FINGERPRINT_H

#include "check.h"

/* Calls every chosen kernel on the widest chosen instruction set and prints the hashes; says on
 * stderr which one it was. */
void fingerprint_print(struct run *run);

#endif

/* fingerprint.h - one hash of all outputs per kernel and fill, the same on every machine, and how
 * far they are from the oracle.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_CHECK_FINGERPRINT_H
#define MMK_CHECK_FINGERPRINT_H

#include "check.h"

/* Calls every chosen kernel on the widest chosen instruction set and prints the hashes, the
 * greatest errors and the averages of errors; says on stderr which one it was. Returns the exit
 * status: 1 where errors lean to one side. */
int fingerprint_print(struct run *run);

#endif

/* resident.h - memory that a process has held.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_RESIDENT_H
#define MMK_BENCH_RESIDENT_H

/* The most bytes that have been resident so far (VmHWM) of "self" or a process number; 0:
 * unknown. */
double resident_most(const char *process);

#endif

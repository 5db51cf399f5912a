/* doctor_mode.h - mmk-bench doctor: what this machine can resolve today.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_DOCTOR_MODE_H
#define MMK_BENCH_DOCTOR_MODE_H

/* argv[0] is the mode's name. Returns the exit code. */
int doctor_mode_main(int argc, char **argv);

#endif

/* accuracy_mode.h - mmk-bench accuracy: errors against the length of the sums, saved and printed.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_MODE_H
#define MMK_BENCH_ACCURACY_MODE_H

/* With arguments of its own: argv[0] is "accuracy". Returns the exit status. */
int accuracy_mode_main(int argc, char **argv);

#endif

/* compare_mode.h - mmk-bench compare: saved runs side by side.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_COMPARE_MODE_H
#define MMK_BENCH_COMPARE_MODE_H

/* With arguments of its own: argv[0] is "compare". Returns the exit status. */
int compare_mode_main(int argc, char **argv);

#endif

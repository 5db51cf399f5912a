/* selftest.h - mmk-bench selftest: whether the intervals of whole runs hold.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_SELFTEST_H
#define MMK_BENCH_SELFTEST_H

int selftest_main(int argc, char **argv);

#endif

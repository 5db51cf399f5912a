/* retrieve.h - mmk-bench retrieve: searches a gallery, and says how good what it finds is and how
 * fast it was found.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_RETRIEVE_H
#define MMK_BENCH_RETRIEVE_H

/* With arguments of its own: argv[0] is "retrieve". Returns the exit status. */
int retrieve_main(int argc, char **argv);

#endif

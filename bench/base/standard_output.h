/* standard_output.h - output that cannot be written is an error, and never silently lost.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_STANDARD_OUTPUT_H
#define MMK_BENCH_STANDARD_OUTPUT_H

/* From here on the program, however it exits, does so with status 2 and a sentence where standard
 * output could not be written. The first thing in main. */
void standard_output_watch(void);

/* Exits with another status than 2 then: where that means something else. */
void standard_output_exit_with(int status);

#endif

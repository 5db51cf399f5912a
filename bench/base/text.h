/* text.h - numbers as a reader of a table wants them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_TEXT_H
#define MMK_BENCH_TEXT_H

#include <stddef.h>

/* Three significant digits, as many as a noisy machine gives. */
void text_3(double value, char *text, size_t bytes);
void text_seconds(double seconds, char *text, size_t bytes);   /* "1.18 ms" */
void text_bytes(double bytes_value, char *text, size_t bytes); /* "164 MB" */

#endif

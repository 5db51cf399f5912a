/* text.h - numbers as a reader of a table wants them, and errors of the library in words.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_TEXT_H
#define MMK_BENCH_TEXT_H

#include "../../kernels/mmk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Three significant digits, as many as a noisy machine gives. */
void text_3(double value, char *text, size_t bytes);
void text_seconds(double seconds, char *text, size_t bytes);   /* "1.18 ms" */
void text_bytes(double bytes_value, char *text, size_t bytes); /* "164 MB" */

/* What the last call of this thread that failed returned: "rows or columns ... (y has 4 columns, x
 * has 3)". ERROR_BYTES hold it. */
enum { ERROR_BYTES = 480 };
void text_status(enum mmk_status status, char *text, size_t bytes);

/* Whether a comma-separated list has the word. */
bool text_list_has(const char *list, const char *word);

/* Writes text with what XML has other uses for written as entities. */
void text_write_xml(FILE *out, const char *text);

/* Writes text as a string of JSON, with its quotes; what is no UTF-8 becomes U+FFFD, byte by byte.
 * (For mmk-check, which is also built where there is no jansson.) */
void text_write_json(FILE *out, const char *text);

#endif

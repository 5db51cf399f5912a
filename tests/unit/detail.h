/* detail.h - whether mmk_error_detail() says what it should.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_UNIT_DETAIL_H
#define MMK_UNIT_DETAIL_H

#include <stdbool.h>

/* Whether the detail has all words of `parts`, each bounded by something that is no letter, digit
 * or underscore; where not, both are printed. */
bool detail_says(const char *parts);

#endif

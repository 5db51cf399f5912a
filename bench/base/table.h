/* table.h - a Markdown table whose columns line up, so that it reads well as plain text too; and
 * headings.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_TABLE_H
#define MMK_BENCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS = 16, TABLE_CELL = 64 };

struct table {
    const char *align; /* a column each: l or r */
    char (*cells)[TABLE_CELL];
    size_t count;
};

/* level: the number of # before the text. */
void table_heading(FILE *out, int level, const char *text);

void table_open(struct table *table, const char *align);

/* The next cell, row by row; the first row is the heading. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The heading: a cell for each column. */
void table_titles(struct table *table, const char *const titles[]);

/* Prints the table and an empty line, and gives back its memory. Without a row: nothing. */
void table_close(struct table *table, FILE *out);

#endif

/* table.c - a Markdown table whose columns line up.
 * SPDX-License-Identifier: MIT
 */
#include "table.h"

#include "memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_heading(FILE *out, int level, const char *text)
{
    fprintf(out, "%.*s %s\n\n", level, "######", text);
}

void table_open(struct table *table, const char *align)
{
    memset(table, 0, sizeof *table);
    table->align = align;
}

void table_cell(struct table *table, const char *format, ...)
{
    table->cells = memory_grow(table->cells, table->count + 1, sizeof *table->cells);
    va_list list;
    va_start(list, format);
    vsnprintf(table->cells[table->count++], sizeof *table->cells, format, list);
    va_end(list);
}

void table_titles(struct table *table, const char *const titles[])
{
    for (size_t i = 0; table->align[i]; i++)
        table_cell(table, "%s", titles[i]);
}

/* Characters that are seen: of UTF-8, all but the bytes that continue one. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(FILE *out, const char *text, size_t width, bool right)
{
    int gap = (int)(width - width_of(text));
    fprintf(out, " %*s%s%*s |", right ? gap : 0, "", text, right ? 0 : gap, "");
}

static void print_rule(FILE *out, size_t width, bool right)
{
    fputc('-', out);
    for (size_t i = 0; i < width; i++)
        fputc('-', out);
    fputs(right ? ":|" : "-|", out);
}

void table_close(struct table *table, FILE *out)
{
    size_t columns = strlen(table->align), widths[TABLE_COLUMNS] = {0};
    for (size_t i = 0; i < table->count; i++)
        if (width_of(table->cells[i]) > widths[i % columns])
            widths[i % columns] = width_of(table->cells[i]);
    for (size_t i = 0; i < table->count && table->count > columns; i++) {
        size_t column = i % columns;
        if (column == 0)
            fputc('|', out);
        print_cell(out, table->cells[i], widths[column], table->align[column] == 'r');
        if (column + 1 < columns)
            continue;
        fputc('\n', out);
        if (i + 1 != columns)
            continue;
        fputc('|', out);
        for (column = 0; column < columns; column++)
            print_rule(out, widths[column], table->align[column] == 'r');
        fputc('\n', out);
    }
    if (table->count > columns)
        fputc('\n', out);
    free(table->cells);
}

/* json_parts.h - what files of JSON have in common.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_JSON_PARTS_H
#define MMK_BENCH_JSON_PARTS_H

#include "../machine/machine.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* From here on jansson ends the program where there is no memory. Not every failure of its is told:
 * an array may just be shorter. */
void json_end_without_memory(void);

json_t *json_from_machine(const struct machine *machine);
void json_get_machine(const json_t *object, struct machine *machine);

/* Writes a value on one line, numbers to six digits, and gives it back. False: there is none. */
bool json_write_value(FILE *file, json_t *value);

/* The value in a file whose key "format" is this one; NULL: error is one sentence. */
json_t *json_open(const char *path, const char *format, char *error, size_t error_bytes);

/* error becomes what json_open says of another format. */
void json_disown(const char *path, const char *format, char *error, size_t error_bytes);

/* A line is a row of a table. */
void json_make_one_line(char *text);

/* Of a key that is missing: "unknown", 0, 0. A text is one line. */
void json_get_text(const json_t *object, const char *key, char *text, size_t bytes);
double json_get_number(const json_t *object, const char *key);
size_t json_get_size(const json_t *object, const char *key);

#endif

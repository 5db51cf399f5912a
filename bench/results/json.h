/* json.h - a run as a file of JSON, and back.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_JSON_H
#define MMK_BENCH_JSON_H

#include "../base/new_file.h"
#include "../timing/run.h"

/* Writes a run, everything measured, and derived only which rows are slower than a narrower
 * instruction set ("slower_than", which is not read back), to a new file that is to be placed at
 * path. False: error is one sentence. */
bool results_finish_json(struct new_file *n, const struct run *run, const char *path, char *error,
                         size_t error_bytes);

/* Places it, too. */
bool results_write_json(const struct run *run, const char *path, char *error, size_t error_bytes);

/* One case of a run as one line, and back: between a run and its launches. False: it cannot be
 * written, or is no such line. */
bool results_put_result(FILE *file, const struct result *result);
bool results_get_result(struct run *run, const char *line);

/* Reads what results_write_json wrote. False: error is one sentence. */
bool results_read_json(struct run *run, const char *path, char *error, size_t error_bytes);

#endif

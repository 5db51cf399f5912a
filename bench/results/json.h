/* json.h - a run as a file of JSON, and back.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_JSON_H
#define MMK_BENCH_JSON_H

#include "../timing/run.h"

/* Writes a run: everything measured, nothing derived. The file is complete or not there (a
 * temporary file is renamed). False: error is one sentence. */
bool results_write_json(const struct run *run, const char *path, char *error, size_t error_bytes);

/* Reads what results_write_json wrote. False: error is one sentence. */
bool results_read_json(struct run *run, const char *path, char *error, size_t error_bytes);

#endif

/* accuracy_json.h - accuracy as a file of JSON, and back.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_JSON_H
#define MMK_BENCH_ACCURACY_JSON_H

#include "../accuracy/accuracy.h"
#include "../base/new_file.h"

/* As results_finish_json, results_write_json and results_read_json. */
bool accuracy_finish_json(struct new_file *n, const struct accuracy *accuracy, const char *path,
                          char *error, size_t error_bytes);
bool accuracy_write_json(const struct accuracy *accuracy, const char *path, char *error,
                         size_t error_bytes);
bool accuracy_read_json(struct accuracy *accuracy, const char *path, char *error,
                        size_t error_bytes);

#endif

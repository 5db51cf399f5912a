/* results.h - the folder of results: runs, and the tables and plots made from them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_RESULTS_H
#define MMK_BENCH_RESULTS_H

#include "../accuracy/accuracy.h"
#include "../timing/run.h"

/* Whether results_save or results_make_tables will be able to write there: asked before a long run.
 * The folder is made where it is missing. False: error is one sentence. */
bool results_can_save(const char *folder, char *error, size_t error_bytes);

/* Names of a run's file, of all kernels and of the curves; and of accuracy's. */
#define RESULTS_RUN      "run.json"
#define RESULTS_CURVES   "curves.json"
#define RESULTS_ACCURACY "accuracy.json"

/* Saves a run as folder/<cpu>/<date>/<name>, then results_make_tables. The newest folder of the day
 * takes it, or where that has such a file a new one: nothing is overwritten. path becomes the
 * file. */
bool results_save(const struct run *run, const char *name, const char *folder, char *path,
                  size_t path_bytes, char *error, size_t error_bytes);

/* The same of accuracy. */
bool results_save_accuracy(const struct accuracy *accuracy, const char *folder, char *path,
                           size_t path_bytes, char *error, size_t error_bytes);

/* Makes folder/TABLES.md and the plots from what is latest of every CPU in folder. */
bool results_make_tables(const char *folder, char *error, size_t error_bytes);

#endif

/* console.h - what mmk-bench and mmk-study share on the command line and the terminal.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_CONSOLE_H
#define MMK_BENCH_CONSOLE_H

#include "../../kernels/mmk.h"

#include <stddef.h>
#include <stdint.h>

enum { EXIT_GOOD = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_NOT_COMPARED = 3 };

/* The exit status of what is refused: EXIT_USAGE, unless a mode has given that another meaning. */
extern int refusal_status;

/* One sentence that names the thing and the remedy, and refusal_status. */
void refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Refuses where a function of the library, called by this thread, says something else than MMK_OK.
 */
void must_be_good(enum mmk_status status, const char *function);

/* The values of --threads and --seed. */
int parse_threads(const char *text);
uint64_t parse_seed(const char *text);

/* The line that says what is being done; nothing where stderr is no terminal. */
void progress(const char *what);
/* From now on with "[at/of]" before it. */
void progress_count(size_t at, size_t of);
void progress_end(void);

#endif

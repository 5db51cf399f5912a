/* console.c - what mmk-bench and mmk-study share on the command line and the terminal.
 * SPDX-License-Identifier: MIT
 */
#include "console.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int refusal_status = EXIT_USAGE;

void refuse(const char *format, ...)
{
    va_list list;
    progress_end();
    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\n");
    exit(refusal_status);
}

void must_be_good(enum mmk_status status, const char *function)
{
    if (status == MMK_OK)
        return;
    char error[ERROR_BYTES];
    text_status(status, error, sizeof error);
    refuse("%s: %s", function, error);
}

int parse_threads(const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < 1 || value > 256)
        refuse("--threads %s: that is no count from 1 to 256; write for instance --threads 2",
               text);
    return (int)value;
}

uint64_t parse_seed(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (end == text || *end || errno || text[0] == '-')
        refuse("--seed %s: that is no whole number from 0 to %" PRIu64
               "; write for instance --seed 1",
               text, UINT64_MAX);
    return value;
}

static struct {
    size_t at, of;
} count;

void progress_count(size_t at, size_t of)
{
    count.at = at;
    count.of = of;
}

void progress(const char *what)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K");
    if (count.of > 0)
        fprintf(stderr, "[%zu/%zu] ", count.at, count.of);
    fprintf(stderr, "%s", what);
}

void progress_end(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

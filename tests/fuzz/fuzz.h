/* fuzz.h - what the fuzzers share.
 * SPDX-License-Identifier: MIT
 *
 * fuzz_<what>.c has LLVMFuzzerTestOneInput, which libFuzzer calls with inputs of its own making
 * (`make fuzz`), and replay.c with those in corpus/<what>/ (`make test`). A crash, a report of a
 * sanitizer or fuzz_fail() is a finding.
 */
#ifndef MMK_FUZZ_H
#define MMK_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prints a sentence and aborts. */
__attribute__((format(printf, 1, 2), noreturn)) void fuzz_fail(const char *format, ...);

/* A regular file with these bytes, without a place in any folder: its path, which holds until the
 * next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* Takes numbers from the front of the input; 0 where it has ended. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};
uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes);

/* One below `count`. */
static inline size_t fuzz_below(struct fuzz_input *input, size_t count)
{
    return count == 0 ? 0 : (size_t)fuzz_take(input, count > 256 ? 2 : 1) % count;
}

#endif

/* fuzz_vectors.c - files of embeddings in every format, and .npy of integers.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/npy.h"
#include "../../bench/data/open_vectors.h"
#include "fuzz.h"

#include <stdlib.h>

/* Every byte of it is there. */
static void read_through(struct vectors *vectors, const char *format)
{
    float sum = 0;
    if (vectors->cols != 0 && vectors->rows > SIZE_MAX / 4 / vectors->cols)
        fuzz_fail("%s: %zu x %zu floats cannot be", format, vectors->rows, vectors->cols);
    for (size_t i = 0; i < vectors->rows; i++)
        for (size_t j = 0; j < vectors->cols; j++)
            sum += vectors->data[i * vectors->ld + j];
    __asm__ volatile("" ::"x"(sum));
    vectors_close(vectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct vectors vectors = {0};
    char error[512] = "";
    int64_t *values = NULL;
    size_t count = 0;
    for (size_t f = 0; vectors_ending(f) != NULL; f++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            const struct vectors_how how = {.bf16 = bf16 != 0};
            error[0] = '\0';
            if (vectors_open_as(path, vectors_ending(f), &how, &vectors, error, sizeof error))
                read_through(&vectors, vectors_ending(f));
            else if (error[0] == '\0')
                fuzz_fail("%s: refused without a word", vectors_ending(f));
        }
    error[0] = '\0';
    if (npy_read_integers(path, &values, &count, error, sizeof error)) {
        volatile int64_t last = count > 0 ? values[count - 1] : 0;
        (void)last;
        free(values);
    } else if (error[0] == '\0') {
        fuzz_fail(".npy of integers: refused without a word");
    }
    return 0;
}

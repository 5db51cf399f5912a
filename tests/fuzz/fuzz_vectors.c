/* fuzz_vectors.c - .npy and .fbin files: embeddings and integers.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/fbin.h"
#include "../../bench/data/npy.h"
#include "fuzz.h"

#include <stdlib.h>

/* Every byte of it is there. */
static void read_through(struct vectors *vectors, const char *format)
{
    float sum = 0;
    if (vectors->cols != 0 && vectors->rows > SIZE_MAX / 4 / vectors->cols)
        fuzz_fail("%s: %zu x %zu floats cannot be", format, vectors->rows, vectors->cols);
    for (size_t i = 0; i < vectors->rows * vectors->cols; i++)
        sum += vectors->data[i];
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
    if (npy_open(path, &vectors, error, sizeof error))
        read_through(&vectors, ".npy");
    else if (error[0] == '\0')
        fuzz_fail(".npy: refused without a word");
    error[0] = '\0';
    if (fbin_open(path, &vectors, error, sizeof error))
        read_through(&vectors, ".fbin");
    else if (error[0] == '\0')
        fuzz_fail(".fbin: refused without a word");
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

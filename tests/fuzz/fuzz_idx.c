/* fuzz_idx.c - IDX files, gzipped or not: images and labels.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/data/idx.h"
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    size_t images, height, width;
    char error[512] = "";
    float *pixels = idx_read_images(path, 7, &images, &height, &width, error, sizeof error);
    if (pixels != NULL) {
        for (size_t i = 0; i < images * height * width; i++)
            if (!(pixels[i] >= 0 && pixels[i] <= 1))
                fuzz_fail("pixel %zu is %g", i, (double)pixels[i]);
        free(pixels);
    } else if (error[0] == '\0') {
        fuzz_fail("images refused without a word");
    }
    error[0] = '\0';
    unsigned char *labels = idx_read_labels(path, 5, error, sizeof error);
    if (labels == NULL && error[0] == '\0')
        fuzz_fail("labels refused without a word");
    free(labels);
    return 0;
}

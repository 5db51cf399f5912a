/* fuzz_shape.c - the text of --shape, for every kernel; what is written of it means the same.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/timing/shape.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    struct shape_text parsed;
    for (size_t k = 0; shape_parse(text, &parsed) && k < kernel_count; k++) {
        struct plan_case one = {
            .kernel = kernels[k], .workspace = shape_default_workspace(kernels[k]), .threads = 1};
        if (!shape_put(&parsed, &one))
            continue;
        struct plan_case again = one;
        char word[256], twice[256];
        shape_write_whole(&one, word, sizeof word);
        if (!shape_parse(word, &parsed) || !shape_put(&parsed, &again))
            fuzz_fail("%s: '%s' is written as '%s', which is no shape of it", kernels[k]->name,
                      text, word);
        shape_write_whole(&again, twice, sizeof twice);
        if (strcmp(word, twice) != 0)
            fuzz_fail("%s: '%s' is written as '%s', and that as '%s'", kernels[k]->name, text, word,
                      twice);
        shape_parse(text, &parsed);
    }
    free(text);
    return 0;
}

/* fuzz_json.c - saved runs, accuracy and what a core reaches, as JSON.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/results/accuracy_json.h"
#include "../../bench/results/json.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each of its results as a line, and back. */
static void write_again(const struct run *run)
{
    for (size_t i = 0; i < run->result_count; i++) {
        char *line = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&line, &size);
        bool written = file != NULL && results_put_result(file, &run->results[i]);
        fclose(file);
        struct run again = {0};
        if (written && !results_get_result(&again, line))
            fuzz_fail("a result that was read is written as what cannot be read: %s", line);
        run_free(&again);
        free(line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct run run = {0};
    struct accuracy accuracy = {0};
    char error[512] = "";
    if (results_read_json(&run, path, error, sizeof error)) {
        write_again(&run);
        run_free(&run);
    } else if (error[0] == '\0') {
        fuzz_fail("a run refused without a word");
    }
    error[0] = '\0';
    if (accuracy_read_json(&accuracy, path, error, sizeof error))
        accuracy_free(&accuracy);
    else if (error[0] == '\0')
        fuzz_fail("accuracy refused without a word");
    char *line = malloc(size + 1);
    memcpy(line, data, size);
    line[size] = '\0';
    struct run one = {0};
    results_get_result(&one, line);
    run_free(&one);
    free(line);
    return 0;
}

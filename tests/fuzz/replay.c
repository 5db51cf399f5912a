/* replay.c - runs a fuzzer's corpus without libFuzzer.
 * SPDX-License-Identifier: MIT
 *
 * usage: replay-<what> FILE...     the last line is "N passed, 0 failed, 0 skipped"; a finding ends
 *                                  the program, after a line with the file's name
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long end = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0) {
        rewind(file);
        data = malloc((size_t)end + (end == 0)); /* no longer: what is read beyond it is seen */
        if (data != NULL && fread(data, 1, (size_t)end, file) != (size_t)end) {
            free(data);
            data = NULL;
        }
    }
    if (file != NULL)
        fclose(file);
    *size = (size_t)end;
    return data;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "%s: there is nothing to replay; name files of a corpus\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        size_t size;
        uint8_t *data = read_all(argv[i], &size);
        if (data == NULL) {
            fprintf(stderr, "%s: %s cannot be read\n", argv[0], argv[i]);
            return 2;
        }
        fprintf(stderr, "%s\n", argv[i]);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    printf("%d passed, 0 failed, 0 skipped\n", argc - 1);
    return 0;
}

/* path.c - where the adapters of peers lie once they are built.
 * SPDX-License-Identifier: MIT
 */
#include "path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void peers_path(const char *file, char *path, size_t bytes)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    snprintf(path, bytes, "%s/../lib/peers/%s", program, file);
}

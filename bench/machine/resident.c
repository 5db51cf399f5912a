/* resident.c - memory that a process has held.
 * SPDX-License-Identifier: MIT
 */
#include "resident.h"

#include <stdio.h>

double resident_most(const char *process)
{
    char path[64], line[128];
    double kilobytes = 0.0;
    snprintf(path, sizeof path, "/proc/%s/status", process);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return 1024.0 * kilobytes;
}

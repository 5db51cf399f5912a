/* caches.c - sizes of the data caches, from sysfs; what that does not say, from the CPU itself.
 * SPDX-License-Identifier: MIT
 */
#include "caches.h"

#include "../../kernels/isa/machine.h"

#include <stdio.h>
#include <string.h>

#define SYSFS "/sys/devices/system/cpu/cpu0/cache"

static bool read_line(const char *name, int index, char *text, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, SYSFS "/index%d/%s", index, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool good = fgets(text, (int)bytes, file) != NULL;
    fclose(file);
    if (good)
        text[strcspn(text, "\n")] = '\0';
    return good;
}

static size_t parse_size(const char *text)
{
    size_t value = 0;
    char unit = ' ';
    if (sscanf(text, "%zu%c", &value, &unit) < 1)
        return 0;
    return value * (unit == 'K' ? 1024 : unit == 'M' ? 1024 * 1024 : 1);
}

const struct caches *caches_get(void)
{
    static struct caches caches;
    if (caches.l1d)
        return &caches;
    char level[16], type[32], size[32];
    for (int i = 0; i < 8 && read_line("level", i, level, sizeof level); i++) {
        if (!read_line("type", i, type, sizeof type) || !read_line("size", i, size, sizeof size) ||
            strcmp(type, "Instruction") == 0)
            continue;
        size_t bytes = parse_size(size);
        if (level[0] == '1')
            caches.l1d = bytes;
        else if (level[0] == '2')
            caches.l2 = bytes;
        else if (level[0] == '3')
            caches.l3 = bytes;
    }
    struct isa_machine machine;
    isa_describe_machine(&machine);
    caches.l1d = caches.l1d != 0 ? caches.l1d : machine.l1d_bytes;
    caches.l2 = caches.l2 != 0 ? caches.l2 : machine.l2_bytes;
    caches.l3 = caches.l3 != 0 ? caches.l3 : machine.l3_bytes;
    caches.known = caches.l1d && caches.l2 && caches.l3;
    if (!caches.l1d)
        caches.l1d = 32 * 1024;
    if (!caches.l2)
        caches.l2 = 512 * 1024;
    if (!caches.l3) /* servers of today have that, or more */
        caches.l3 = 32 * 1024 * 1024;
    return &caches;
}

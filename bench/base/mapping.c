/* mapping.c - a whole file in memory, mapped and not copied.
 * SPDX-License-Identifier: MIT
 */
#include "mapping.h"

#include "regular.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool map(struct mapping *mapping, int fd, const char *path, char *error, size_t error_bytes)
{
    if (mapping->size == 0) {
        snprintf(error, error_bytes, "%s: is empty; write it again", path);
        return false;
    }
    void *bytes = mmap(NULL, mapping->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        snprintf(error, error_bytes,
                 "%s: cannot be mapped (%s); give a file that fits the address space", path,
                 strerror(errno));
        return false;
    }
    mapping->bytes = bytes;
    return true;
}

bool mapping_open(struct mapping *mapping, const char *path, char *error, size_t error_bytes)
{
    memset(mapping, 0, sizeof *mapping);
    int fd = regular_open(path, &mapping->size, error, error_bytes);
    if (fd < 0)
        return false;
    bool good = map(mapping, fd, path, error, error_bytes);
    close(fd);
    return good;
}

void mapping_close(struct mapping *mapping)
{
    if (mapping->bytes)
        munmap((void *)(uintptr_t)mapping->bytes, mapping->size);
    memset(mapping, 0, sizeof *mapping);
}

/* shared.c - floats that another process maps, too.
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

bool shared_resize(struct shared *shared, size_t bytes)
{
    if (shared->bytes == bytes)
        return true;
    if (shared->floats)
        munmap(shared->floats, shared->bytes);
    if (shared->file < 0)
        shared->file = memfd_create("mmk-bench", MFD_CLOEXEC);
    shared->floats = NULL;
    shared->bytes = 0;
    if (shared->file < 0 || ftruncate(shared->file, (off_t)bytes) != 0)
        return false;
    void *floats = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, shared->file, 0);
    if (floats == MAP_FAILED)
        return false;
    shared->floats = floats;
    shared->bytes = bytes;
    return true;
}

void shared_close(struct shared *shared)
{
    if (shared->floats)
        munmap(shared->floats, shared->bytes);
    if (shared->file >= 0)
        close(shared->file);
    *shared = (struct shared)SHARED_NONE;
}

void shared_name(const struct shared *shared, char *name, size_t bytes)
{
    snprintf(name, bytes, "/proc/%ld/fd/%d", (long)getpid(), shared->file);
}

/* pages.h - memory for what kernels, assembled peers and peaks are timed with.
 * SPDX-License-Identifier: MIT
 *
 * The size of pages shows in times: with a workspace of 132 MB on pages of 4 KB, InfoNCE of 4096 x
 * 4096 x 512 took 1.1 to 1.6 times as long on a Zen 5 VM. So all of them have the same;
 * the curves of memory, which must not count what was rounded up, have not.
 */
#ifndef MMK_REF_PAGES_H
#define MMK_REF_PAGES_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Zeroed and touched, so that no call pays for pages; aligned to 64 bytes, from 2 MB on to 2 MB and
 * on large pages, if the system has any. *whole: what it takes, more than was asked for; or NULL.
 * To be freed. NULL: no memory. */
static inline void *pages_alloc(size_t bytes, size_t *whole)
{
    const size_t large = (size_t)2 << 20, align = bytes < large ? 64 : large;
    size_t all = (bytes / align + 1) * align;
    void *memory = all > bytes ? aligned_alloc(align, all) : NULL;
    if (memory == NULL)
        return NULL;
    if (align == large)
        madvise(memory, all, MADV_HUGEPAGE);
    memset(memory, 0, all);
    if (whole != NULL)
        *whole = all;
    return memory;
}

#endif

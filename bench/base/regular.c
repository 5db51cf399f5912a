/* regular.c - opens regular files only: of a FIFO or a device nobody knows when it ends.
 * SPDX-License-Identifier: MIT
 */
#include "regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int regular_open(const char *path, size_t *size, char *error, size_t error_bytes)
{
    struct stat info;
    /* To open a FIFO would wait for somebody to write to it. Of a regular file this means
     * nothing. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        snprintf(error, error_bytes, "%s: cannot be opened (%s); give the path of a readable file",
                 path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        snprintf(error, error_bytes, "%s: is no regular file; give the path of one", path);
        close(fd);
        return -1;
    }
    *size = (size_t)info.st_size;
    return fd;
}

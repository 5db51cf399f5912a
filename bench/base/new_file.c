/* new_file.c - a file that takes its place, by rename, once it is complete.
 * SPDX-License-Identifier: MIT
 */
#include "new_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool new_file_open(struct new_file *n, const char *path, char *error, size_t error_bytes)
{
    n->path = path;
    snprintf(n->temporary, sizeof n->temporary, "%s.%ld.part", path, (long)getpid());
    n->file = fopen(n->temporary, "w");
    if (!n->file)
        snprintf(error, error_bytes,
                 "%s cannot be written (%s); give a folder that you may write to", path,
                 strerror(errno));
    return n->file != NULL;
}

bool new_file_close(struct new_file *n, bool good, char *error, size_t error_bytes)
{
    good = fflush(n->file) == 0 && !ferror(n->file) && good;
    good = fclose(n->file) == 0 && good;
    if (good && rename(n->temporary, n->path) == 0)
        return true;
    snprintf(error, error_bytes, "%s could not be written (%s); is the disk full?", n->path,
             strerror(errno));
    remove(n->temporary);
    return false;
}

bool new_file_possible(const char *path, char *error, size_t error_bytes)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        snprintf(error, error_bytes, "%s is a folder; give the name of a file", path);
        return false;
    }
    struct new_file n;
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    fclose(n.file);
    remove(n.temporary);
    return true;
}

/* standard_output.c - output that cannot be written is an error, and never silently lost.
 * SPDX-License-Identifier: MIT
 */
#include "standard_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int exit_status = 2;

void standard_output_exit_with(int status)
{
    exit_status = status;
}

/* close too, where some file systems tell that the disk is full. */
static void close_output(void)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fclose(stdout) == 0 && !failed)
        return;
    fprintf(stderr, "%s: standard output cannot be written (%s); is it closed, or the disk full?\n",
            program_invocation_short_name, errno ? strerror(errno) : "a write failed");
    _exit(exit_status);
}

void standard_output_watch(void)
{
    /* A closed one would be the next file that is opened, and be written into. This way round what
     * is written to it fails. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (atexit(close_output) != 0) {
        fprintf(stderr, "%s: there is no memory to begin with; close something\n",
                program_invocation_short_name);
        _exit(exit_status);
    }
}

/* identity.c - the CPU and the commit that a report names.
 * SPDX-License-Identifier: MIT
 */
#include "identity.h"

#include "../../kernels/isa/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Some brands name no model at all ("AMD EPYC"): family and model tell what it is. */
void identity_cpu(char *text, size_t bytes)
{
    struct isa_machine isa;
    isa_describe_machine(&isa);
    if (isa.family != 0)
        snprintf(text, bytes, "%.63s (family %u model %u)", isa.brand, isa.family, isa.model);
    else
        snprintf(text, bytes, "%.63s", isa.brand);
}

#if defined(MMK_COMMIT)

void identity_commit(char *text, size_t bytes)
{
    snprintf(text, bytes, "%s", MMK_COMMIT);
}

#else

/* The program is asked for here and not by the shell, to which an emulator would be the program. */
void identity_commit(char *text, size_t bytes)
{
    snprintf(text, bytes, "unknown");
    char path[4096], line[64];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = '\0';
    setenv("MMK_PROGRAM", path, 1);
    FILE *git = popen("git -C \"$(dirname \"$MMK_PROGRAM\")\" describe --always --dirty "
                      "--abbrev=12 2>/dev/null",
                      "r");
    unsetenv("MMK_PROGRAM");
    if (!git)
        return;
    if (fgets(line, sizeof line, git)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            snprintf(text, bytes, "%s", line);
    }
    pclose(git);
}

#endif

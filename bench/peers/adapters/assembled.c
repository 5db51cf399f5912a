/* assembled.c - kernels as a C user would assemble them from a library's matrix product.
 * SPDX-License-Identifier: MIT
 */
#include "assembled.h"

static const struct assembly *const assemblies[] = {&assembled_infonce, &assembled_matrix,
                                                    &assembled_search};
enum { ASSEMBLIES = sizeof assemblies / sizeof assemblies[0] };

/* NULL: none runs the kernel. */
static const struct assembly *assembly_of(const struct kernel *kernel)
{
    for (size_t i = 0; i < ASSEMBLIES; i++)
        if (assemblies[i]->runs(kernel))
            return assemblies[i];
    return NULL;
}

bool assembled_runs(const struct kernel *kernel)
{
    return assembly_of(kernel) != NULL;
}

bool assembled_prepare(struct peer *peer, const struct trial *trial, char *error,
                       size_t error_bytes)
{
    const struct matrix_library *library = peer->about;
    const struct assembly *assembly = assembly_of(trial->kernel);
    assembled_close(peer);
    library->set_threads(trial->options.threads);
    if (!assembly->prepare(peer, library, trial, error, error_bytes)) {
        assembly->close();
        return false;
    }
    peer->call = assembly->call;
    return true;
}

void assembled_close(struct peer *peer)
{
    (void)peer;
    for (size_t i = 0; i < ASSEMBLIES; i++)
        assemblies[i]->close();
}

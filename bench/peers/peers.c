/* peers.c - which other libraries there are to compare with.
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"

#include "path.h"
#include "script.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A new peer is a line here, and a shared object bench/peers/adapters/<name>.c or a script
 * (script.c). What stands behind a dash is another way of the same object. */
static struct known {
    const char *name;
    const char *families; /* of kernels that it may run */
    bool approximate;     /* as struct peer has it */
    struct peer *script;  /* NULL: a shared object */
    struct peer *found;
    bool open;
} known[] = {
    {.name = "openblas", .families = "cosine infonce search"},
    {.name = "onednn", .families = "cosine infonce search int8"},
    {.name = "faiss", .families = "topk search"},
    {.name = "faiss-sq8", .families = "search", .approximate = true},
    {.name = "faiss-sq8-refine2", .families = "search", .approximate = true},
    {.name = "faiss-sq8-refine4", .families = "search", .approximate = true},
    {.name = "simsimd", .families = "cosine int8 f16 bf16"},
    {.name = "usearch", .families = "cosine search"},
    {.name = "usearch-f16", .families = "search", .approximate = true},
    {.name = "usearch-i8", .families = "search", .approximate = true},
    {.name = "pytorch", .families = "infonce", .script = &script_pytorch},
    {.name = "pytorch-tuned", .families = "infonce", .script = &script_pytorch_tuned},
};
enum { KNOWN = sizeof known / sizeof known[0] };

const char *peers_name(size_t i)
{
    return i < KNOWN ? known[i].name : NULL;
}

bool peers_is_script(size_t i)
{
    return known[i].script != NULL;
}

bool peers_is_approximate(size_t i)
{
    return known[i].approximate;
}

bool peers_concern(size_t i, const struct kernel *kernel)
{
    size_t length = strlen(kernel->family);
    for (const char *word = known[i].families; *word; word += strspn(word, " ")) {
        size_t end = strcspn(word, " ");
        if (end == length && strncmp(word, kernel->family, length) == 0)
            return true;
        word += end;
    }
    return false;
}

/* What holds a library back, or makes it choose another kernel than it would, may be preset on a
 * machine: a peer is to show what it can. */
static void clean_environment(void)
{
    static const char *const names[] = {"OPENBLAS_CORETYPE",    "OPENBLAS_L2_SIZE",
                                        "OPENBLAS_NUM_THREADS", "DNNL_MAX_CPU_ISA",
                                        "ONEDNN_MAX_CPU_ISA",   "ATEN_CPU_CAPABILITY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

static struct peer *find_object(const char *name, char *error, size_t error_bytes)
{
    char file[64], symbol[64], path[PATH_MAX + 128];
    size_t library = strcspn(name, "-");
    snprintf(file, sizeof file, "%.*s.so", (int)library, name);
    snprintf(symbol, sizeof symbol, "mmk_peer%s", name + library);
    for (char *dash = symbol; (dash = strchr(dash, '-')) != NULL;)
        *dash = '_';
    peers_path(file, path, sizeof path);
    if (access(path, R_OK) != 0) {
        snprintf(error, error_bytes, "its library is not installed, or its adapter not built");
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    struct peer *peer = object ? dlsym(object, symbol) : NULL;
    if (!peer)
        snprintf(error, error_bytes, "%s", dlerror());
    return peer;
}

struct peer *peers_find(size_t i, char *error, size_t error_bytes)
{
    struct known *k = &known[i];
    if (k->found)
        return k->found;
    clean_environment();
    if (!k->script)
        k->found = find_object(k->name, error, error_bytes);
    else if (script_find(k->script, error, error_bytes))
        k->found = k->script;
    if (k->found)
        k->found->approximate = k->approximate;
    return k->found;
}

bool peers_open(struct peer *peer, char *error, size_t error_bytes)
{
    struct known *k = known;
    while (k->found != peer)
        k++;
    k->open = k->open || peer->open(peer, error, error_bytes);
    return k->open;
}

void peers_close(void)
{
    for (size_t i = 0; i < KNOWN; i++) {
        if (known[i].open)
            known[i].found->close(known[i].found);
        known[i].open = false;
    }
}

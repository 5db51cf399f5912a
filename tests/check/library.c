/* library.c - another libmmk.so in the place of the code that is linked in: --library.
 * SPDX-License-Identifier: MIT
 */
#include "library.h"

#include "../../kernels/mmk.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool loaded, theirs;    /* theirs: calls go to the library */
static const char *lacked_one; /* see library_lacked */

/* ---- The functions --------------------------------------------------------------------------- */

/* FUNCTION: its type, its name, its parameters, its arguments, and what a library without it would
 * say. The compiler compares each with mmk.h, and the linker names the one that is forgotten. */
#define FUNCTIONS(FUNCTION)                                                                        \
    FUNCTION(const char *, mmk_version, (void), (), "")                                            \
    FUNCTION(int, mmk_numerics_version, (void), (), 0)                                             \
    FUNCTION(const char *, mmk_status_string, (enum mmk_status status), (status), "")              \
    FUNCTION(const char *, mmk_error_detail, (void), (), "")                                       \
    FUNCTION(const char *, mmk_isa_name, (enum mmk_isa isa), (isa), NULL)                          \
    FUNCTION(enum mmk_status, mmk_isa_usable, (enum mmk_isa isa), (isa), MMK_ERR_ISA_UNUSABLE)     \
    FUNCTION(enum mmk_status, mmk_isa_use, (const char *name), (name), MMK_ERR_ISA_UNUSABLE)       \
    FUNCTION(                                                                                      \
        enum mmk_status, mmk_similarity_pair,                                                      \
        (enum mmk_similarity similarity, size_t d, const float *x, const float *y, float *result), \
        (similarity, d, x, y, result), MMK_ERR_NULL)                                               \
    FUNCTION(enum mmk_status, mmk_similarity_query,                                                \
             (enum mmk_similarity similarity, const float *x, const struct mmk_matrix *y,          \
              const float *squared_norms, float *result),                                          \
             (similarity, x, y, squared_norms, result), MMK_ERR_NULL)                              \
    FUNCTION(enum mmk_status, mmk_similarity_rows,                                                 \
             (enum mmk_similarity similarity, const struct mmk_matrix *x,                          \
              const struct mmk_matrix *y, float *result, const struct mmk_options *options),       \
             (similarity, x, y, result, options), MMK_ERR_NULL)                                    \
    FUNCTION(enum mmk_status, mmk_quantize_rows,                                                   \
             (const struct mmk_matrix *x, const float *centre, const struct mmk_matrix_out *codes, \
              float *scales, float *errors),                                                       \
             (x, centre, codes, scales, errors), MMK_ERR_NULL)                                     \
    FUNCTION(enum mmk_status, mmk_dot_pair_i8,                                                     \
             (size_t d, const int8_t *x, const int8_t *y, int32_t *result), (d, x, y, result),     \
             MMK_ERR_NULL)                                                                         \
    FUNCTION(enum mmk_status, mmk_similarity_pair_i8,                                              \
             (enum mmk_similarity similarity, size_t d, const int8_t *x, float x_scale,            \
              const int8_t *y, float y_scale, float *result),                                      \
             (similarity, d, x, x_scale, y, y_scale, result), MMK_ERR_NULL)                        \
    FUNCTION(enum mmk_status, mmk_dot_query_i8,                                                    \
             (const int8_t *x, const struct mmk_matrix *y, int32_t *result), (x, y, result),       \
             MMK_ERR_NULL)                                                                         \
    FUNCTION(enum mmk_status, mmk_similarity_query_i8,                                             \
             (enum mmk_similarity similarity, const int8_t *x, float x_scale,                      \
              const struct mmk_matrix *y, float *result),                                          \
             (similarity, x, x_scale, y, result), MMK_ERR_NULL)                                    \
    FUNCTION(enum mmk_status, mmk_similarity_pair_f16,                                             \
             (enum mmk_similarity similarity, size_t d, const uint16_t *x, const uint16_t *y,      \
              float *result),                                                                      \
             (similarity, d, x, y, result), MMK_ERR_NULL)                                          \
    FUNCTION(enum mmk_status, mmk_similarity_query_f16,                                            \
             (enum mmk_similarity similarity, const uint16_t *x, const struct mmk_matrix *y,       \
              const float *squared_norms, float *result),                                          \
             (similarity, x, y, squared_norms, result), MMK_ERR_NULL)                              \
    FUNCTION(enum mmk_status, mmk_similarity_pair_bf16,                                            \
             (enum mmk_similarity similarity, size_t d, const uint16_t *x, const uint16_t *y,      \
              float *result),                                                                      \
             (similarity, d, x, y, result), MMK_ERR_NULL)                                          \
    FUNCTION(enum mmk_status, mmk_similarity_query_bf16,                                           \
             (enum mmk_similarity similarity, const uint16_t *x, const struct mmk_matrix *y,       \
              const float *squared_norms, float *result),                                          \
             (similarity, x, y, squared_norms, result), MMK_ERR_NULL)                              \
    FUNCTION(enum mmk_status, mmk_squared_norms, (const struct mmk_matrix *y, float *out),         \
             (y, out), MMK_ERR_NULL)                                                               \
    FUNCTION(enum mmk_status, mmk_similarity_matrix,                                               \
             (enum mmk_similarity similarity, const struct mmk_matrix *x,                          \
              const struct mmk_matrix *y, const struct mmk_matrix_out *result,                     \
              const struct mmk_options *options),                                                  \
             (similarity, x, y, result, options), MMK_ERR_NULL)                                    \
    FUNCTION(enum mmk_status, mmk_normalize_rows,                                                  \
             (const struct mmk_matrix *x, const struct mmk_matrix_out *out), (x, out),             \
             MMK_ERR_NULL)                                                                         \
    FUNCTION(enum mmk_status, mmk_gallery_pack,                                                    \
             (enum mmk_similarity similarity, const struct mmk_matrix *y,                          \
              const struct mmk_options *options, struct mmk_gallery **gallery),                    \
             (similarity, y, options, gallery), MMK_ERR_NULL)                                      \
    FUNCTION(enum mmk_status, mmk_gallery_encode,                                                  \
             (enum mmk_similarity similarity, const struct mmk_matrix *y,                          \
              const struct mmk_options *options, struct mmk_gallery **gallery),                    \
             (similarity, y, options, gallery), MMK_ERR_NULL)                                      \
    FUNCTION(enum mmk_status, mmk_infonce,                                                         \
             (const struct mmk_infonce_problem *problem,                                           \
              const struct mmk_infonce_results *results, const struct mmk_options *options),       \
             (problem, results, options), MMK_ERR_NULL)                                            \
    FUNCTION(enum mmk_status, mmk_uniformity,                                                      \
             (const struct mmk_infonce_problem *problem,                                           \
              const struct mmk_infonce_results *results, const struct mmk_options *options),       \
             (problem, results, options), MMK_ERR_NULL)                                            \
    FUNCTION(enum mmk_status, mmk_alignment,                                                       \
             (const struct mmk_infonce_problem *problem,                                           \
              const struct mmk_infonce_results *results, const struct mmk_options *options),       \
             (problem, results, options), MMK_ERR_NULL)                                            \
    FUNCTION(enum mmk_status, mmk_sigmoid,                                                         \
             (const struct mmk_sigmoid_problem *problem,                                           \
              const struct mmk_sigmoid_results *results, const struct mmk_options *options),       \
             (problem, results, options), MMK_ERR_NULL)                                            \
    FUNCTION(enum mmk_status, mmk_exp, (size_t n, const float *x, float *y), (n, x, y),            \
             MMK_ERR_NULL)                                                                         \
    FUNCTION(enum mmk_status, mmk_logsumexp, (size_t n, const float *x, float *result),            \
             (n, x, result), MMK_ERR_NULL)                                                         \
    FUNCTION(enum mmk_status, mmk_topk,                                                            \
             (const struct mmk_matrix *scores, const struct mmk_topk_results *results,             \
              const struct mmk_options *options),                                                  \
             (scores, results, options), MMK_ERR_NULL)                                             \
    FUNCTION(enum mmk_status, mmk_search,                                                          \
             (const struct mmk_search_problem *problem, const struct mmk_search_results *results,  \
              const struct mmk_options *options),                                                  \
             (problem, results, options), MMK_ERR_NULL)                                            \
    FUNCTION(enum mmk_status, mmk_retrieval_metrics,                                               \
             (const struct mmk_retrieval_problem *problem,                                         \
              const struct mmk_retrieval_results *results),                                        \
             (problem, results), MMK_ERR_NULL)

#define DECLARE(type, name, parameters, arguments, without)                                        \
    extern __typeof__(name) __real_##name, __wrap_##name;                                          \
    static __typeof__(name) *their_##name;

#define DEFINE(type, name, parameters, arguments, without)                                         \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        if (!theirs)                                                                               \
            return __real_##name arguments;                                                        \
        if (their_##name)                                                                          \
            return their_##name arguments;                                                         \
        lacked_one = #name;                                                                        \
        return without;                                                                            \
    }

FUNCTIONS(DECLARE)
FUNCTIONS(DEFINE)

/* The one that returns nothing. */
extern __typeof__(mmk_gallery_free) __real_mmk_gallery_free, __wrap_mmk_gallery_free;
static __typeof__(mmk_gallery_free) *their_mmk_gallery_free;

void __wrap_mmk_gallery_free(struct mmk_gallery *gallery)
{
    if (!theirs)
        __real_mmk_gallery_free(gallery);
    else if (their_mmk_gallery_free)
        their_mmk_gallery_free(gallery);
    else
        lacked_one = "mmk_gallery_free";
}

#define SLOT(type, name, parameters, arguments, without) {#name, &their_##name},

static const struct {
    const char *name;
    void *slot; /* where its address goes */
} functions[] = {FUNCTIONS(SLOT){"mmk_gallery_free", &their_mmk_gallery_free}};

enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

/* ---- Loading --------------------------------------------------------------------------------- */

/* Whether an address lies in that very file. */
static bool is_of_file(void *address, const char *path, Dl_info *info)
{
    struct stat wanted, found;
    return dladdr(address, info) != 0 && info->dli_fname && stat(path, &wanted) == 0 &&
           stat(info->dli_fname, &found) == 0 && wanted.st_dev == found.st_dev &&
           wanted.st_ino == found.st_ino;
}

static bool find_functions(struct library *library, void *handle, char *error, size_t error_bytes)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        Dl_info info;
        void *found = dlsym(handle, functions[i].name);
        if (found && !is_of_file(found, library->path, &info)) {
            snprintf(error, error_bytes, "%s has no %s of its own, but that of %.1000s; give that",
                     library->path, functions[i].name,
                     info.dli_fname ? info.dli_fname : "nobody knows whom");
            return false;
        }
        memcpy(functions[i].slot, &found, sizeof found);
        size_t length = strlen(library->lacks);
        if (found)
            library->found++;
        else
            snprintf(library->lacks + length, sizeof library->lacks - length, "%s%s",
                     length > 0 ? ", " : "", functions[i].name);
    }
    return true;
}

/* What no run can do without. */
static bool has_what_it_must(const struct library *library, char *error, size_t error_bytes)
{
    const char *missing = !their_mmk_version         ? "mmk_version"
                          : !their_mmk_status_string ? "mmk_status_string"
                          : !their_mmk_isa_name      ? "mmk_isa_name"
                          : !their_mmk_isa_usable    ? "mmk_isa_usable"
                          : !their_mmk_isa_use       ? "mmk_isa_use"
                                                     : NULL;
    if (missing)
        snprintf(error, error_bytes, "%s has no function %s; give a libmmk.so", library->path,
                 missing);
    return !missing;
}

static bool read_version(struct library *library, char *error, size_t error_bytes)
{
    const char *version = their_mmk_version();
    int major;
    snprintf(library->version, sizeof library->version, "%s", version ? version : "");
    library->numerics = their_mmk_numerics_version ? their_mmk_numerics_version() : 0;
    if (sscanf(library->version, "%d.", &major) == 1 && major == MMK_VERSION_MAJOR)
        return true;
    snprintf(error, error_bytes,
             "%s is mmk %s, and this mmk-check judges %d.x; use the mmk-check of that version",
             library->path, library->version, MMK_VERSION_MAJOR);
    return false;
}

static bool load(struct library *library, const char *path, char *error, size_t error_bytes)
{
    *library = (struct library){.numerics = 0};
    if (!realpath(path, library->path)) {
        snprintf(error, error_bytes, "%s: %s; give the file of a libmmk.so", path, strerror(errno));
        return false;
    }
    void *handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(error, error_bytes,
                 "%s cannot be loaded (%.1000s); give a libmmk.so of this "
                 "architecture",
                 library->path, dlerror());
        return false;
    }
    return find_functions(library, handle, error, error_bytes) &&
           has_what_it_must(library, error, error_bytes) &&
           read_version(library, error, error_bytes);
}

/* In a process of its own, with all that will be asked before the checks run. */
static void try_in_a_child(const char *path)
{
    static struct library library;
    static char error[8192];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (load(&library, path, error, sizeof error))
            for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
                (void)(their_mmk_isa_name((enum mmk_isa)isa) &&
                       their_mmk_status_string(their_mmk_isa_usable((enum mmk_isa)isa)));
        _exit(0);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return;
    if (child < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return;
    if (WIFSIGNALED(status))
        fprintf(stderr, "FAIL --library %s: crashed while it was loaded: %s\n", path,
                strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "FAIL --library %s: ended the program that loaded it, with status %d\n",
                path, WEXITSTATUS(status));
    printf("0 passed, 1 failed, 0 skipped\n");
    exit(1);
}

bool library_open(struct library *library, const char *path, char *error, size_t error_bytes)
{
    try_in_a_child(path);
    loaded = theirs = load(library, path, error, error_bytes);
    return loaded;
}

/* ---- While it runs --------------------------------------------------------------------------- */

void library_pause(void)
{
    theirs = false;
}

void library_resume(void)
{
    theirs = loaded;
}

const char *library_lacked(void)
{
    const char *name = lacked_one;
    lacked_one = NULL;
    return name;
}

/* library.h - another libmmk.so in the place of the code that is linked in: --library.
 * SPDX-License-Identifier: MIT
 *
 * The cases call public functions by name. mmk-check is linked so that each such call goes through
 * library.c (ld's --wrap), which calls our own function or, where a library is loaded, its. Oracle,
 * bounds and inputs remain ours. A static build (the cross build) cannot load a library and is
 * linked without; LIBRARY_LOADS says which it is.
 */
#ifndef MMK_CHECK_LIBRARY_H
#define MMK_CHECK_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#if !defined(LIBRARY_LOADS)
#define LIBRARY_LOADS 0
#endif

struct library {
    char path[4096]; /* without links */
    char version[64];
    int numerics;    /* 0: it does not say */
    size_t found;    /* of its functions */
    char lacks[512]; /* those it has not, with commas between them */
};

#if LIBRARY_LOADS

/* Loads it, and has all that follows call it. False: error is one sentence, and all is as before.
 * A file that is no libmmk of our major version is refused, and so is one that has a function not
 * itself but from a library that it needs: what was judged would be that. Where the library kills
 * the process that loads it this is a failure of its, told with exit status 1. */
bool library_open(struct library *library, const char *path, char *error, size_t error_bytes);

/* Between the two calls it is our own code again: what fills the inputs is no part of the trial. */
void library_pause(void);
void library_resume(void);

/* A function that was called since this was last asked, and is not there; NULL: none. */
const char *library_lacked(void);

#else

static inline bool library_open(struct library *library, const char *path, char *error,
                                size_t error_bytes)
{
    (void)library, (void)path, (void)error, (void)error_bytes;
    return false;
}
static inline void library_pause(void) {}
static inline void library_resume(void) {}
static inline const char *library_lacked(void)
{
    return NULL;
}

#endif

#endif

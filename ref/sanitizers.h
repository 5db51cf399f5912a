/* sanitizers.h - tells clang's and gcc's sanitizers what they cannot know of memory that is cut up
 * or used again here. Nothing, in a build without them.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_REF_SANITIZERS_H
#define MMK_REF_SANITIZERS_H

#include <stddef.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZERS_ADDRESS
#elif __has_feature(memory_sanitizer)
#define SANITIZERS_MEMORY
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZERS_ADDRESS
#endif

#ifdef SANITIZERS_ADDRESS
#include <sanitizer/asan_interface.h>
#elif defined(SANITIZERS_MEMORY)
#include <sanitizer/msan_interface.h>
#endif

/* From here on a use is an error, until the memory is freed. */
static inline void sanitizers_not_ours(void *memory, size_t bytes)
{
#ifdef SANITIZERS_ADDRESS
    __asan_poison_memory_region(memory, bytes);
#else
    (void)memory, (void)bytes;
#endif
}

/* What stands there is not to be used before it is written. */
static inline void sanitizers_unwritten(void *memory, size_t bytes)
{
#ifdef SANITIZERS_MEMORY
    __msan_poison(memory, bytes);
#else
    (void)memory, (void)bytes;
#endif
}

/* Code without a sanitizer has written this (libc, for a callback). */
static inline void sanitizers_written(const void *memory, size_t bytes)
{
#ifdef SANITIZERS_MEMORY
    __msan_unpoison(memory, bytes);
#else
    (void)memory, (void)bytes;
#endif
}

#endif

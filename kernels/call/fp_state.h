/* fp_state.h - the floating-point state that all arithmetic here is written for (internal).
 * SPDX-License-Identifier: MIT
 *
 * Round to nearest, denormals as they are, no exception trapped: what a process starts with. A
 * caller may have another (a program linked with -ffast-math has), and OpenMP's workers have that
 * of whoever made them. FP_STATE_DEFAULT() as the first statement of a block sets the default until
 * the block is left, by whatever way, and then puts back what was there, with the flags that
 * exceptions raise. It stands in every public function that computes (but for pair and query, which
 * are shorter than it) and at the head of every parallel block. tests/fp_state.sh sees to the
 * latter.
 */
#ifndef MMK_FP_STATE_H
#define MMK_FP_STATE_H

#include <stdint.h>

#if defined(__x86_64__)

#include <xmmintrin.h>

struct fp_state {
    uint32_t control; /* MXCSR: control, and in the lowest six bits flags */
};

#define FP_STATE_FLAGS   0x3fu
#define FP_STATE_CONTROL 0x1f80u /* all exceptions masked, nothing else */

static inline struct fp_state fp_state_read(void)
{
    return (struct fp_state){_mm_getcsr()};
}

static inline void fp_state_write(const struct fp_state *state)
{
    _mm_setcsr(state->control);
}

static inline void fp_state_set_default(const struct fp_state *present)
{
    if ((present->control & ~FP_STATE_FLAGS) != FP_STATE_CONTROL)
        _mm_setcsr(FP_STATE_CONTROL);
}

/* A write takes longer than a read: only where there is something to put back. */
static inline void fp_state_restore(const struct fp_state *state)
{
    if (_mm_getcsr() != state->control)
        fp_state_write(state);
}

#elif defined(__aarch64__)

struct fp_state {
    uint64_t control, flags; /* FPCR and FPSR */
};

static inline struct fp_state fp_state_read(void)
{
    struct fp_state state;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(state.control), "=r"(state.flags));
    return state;
}

static inline void fp_state_write(const struct fp_state *state)
{
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(state->control), "r"(state->flags));
}

static inline void fp_state_set_default(const struct fp_state *present)
{
    if (present->control != 0)
        __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
}

static inline void fp_state_restore(const struct fp_state *state)
{
    struct fp_state present = fp_state_read();
    if (present.control != state->control || present.flags != state->flags)
        fp_state_write(state);
}

#else

#include <fenv.h>

struct fp_state {
    fenv_t all;
};

static inline struct fp_state fp_state_read(void)
{
    struct fp_state state;
    fegetenv(&state.all);
    return state;
}

static inline void fp_state_set_default(const struct fp_state *present)
{
    (void)present;
    fesetenv(FE_DFL_ENV);
}

static inline void fp_state_restore(const struct fp_state *state)
{
    fesetenv(&state->all);
}

#endif

/* To the compiler arithmetic does not depend on the state. It stays between the two all the same,
 * since it is done on what is read from memory after the first, and its results are in memory
 * before the second: no public function takes a float by value or returns one. */
static inline struct fp_state fp_state_enter(void)
{
    struct fp_state state = fp_state_read();
    fp_state_set_default(&state);
    __asm__ volatile("" : : : "memory");
    return state;
}

static inline void fp_state_leave(const struct fp_state *state)
{
    __asm__ volatile("" : : : "memory");
    fp_state_restore(state);
}

/* A name for each line: one block may stand in another. */
#define FP_STATE_DEFAULT()     FP_STATE_ON_LINE(__LINE__)
#define FP_STATE_ON_LINE(line) FP_STATE_NAMED(fp_state_of_caller_, line)
#define FP_STATE_NAMED(name, line)                                                                 \
    const struct fp_state name##line __attribute__((cleanup(fp_state_leave), unused)) =            \
        fp_state_enter()

#endif

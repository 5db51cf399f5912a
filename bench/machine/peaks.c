/* peaks.c - the machine's limits, one sample at a time.
 * SPDX-License-Identifier: MIT
 *
 * Read bandwidth is taken with the widest loads the machine has, over the part of a level that is
 * surely in it: two thirds of L1, half of L2, a quarter of L3 (it is shared) up to 8 MB, and
 * consecutive slices of a block far larger than L3 for memory.
 *
 * L2 has two: on a Zen 5, whatever the loop (order, streams, software prefetch), 64 to 384 KB come
 * at 44 to 48 bytes a clock and 512 KB at 62. A working set is measured against its own kind.
 */
#include "peaks.h"

#include "../../ref/pages.h"
#include "caches.h"
#include "timer.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 256 };
#define MEBIBYTE ((size_t)1 << 20)

/* One thread's own buffers; memory slices are cut from one block for all. */
struct thread_buffers {
    float *l1, *l2, *l3; /* small L2 is the beginning of l2 */
};

static struct {
    int threads;
    size_t l1_floats, l2_small_floats, l2_floats, l3_floats;
    struct thread_buffers own[MAX_THREADS];
    float *memory;
    size_t memory_floats, memory_next;
} buffers;

static volatile float sink;

static const struct peak_loops *loops_of(enum mmk_isa isa)
{
    if (mmk_isa_usable(isa) != MMK_OK)
        return NULL;
    switch (isa) {
#if !defined(__aarch64__)
    case MMK_ISA_SCALAR:
        return &peak_loops_scalar;
#endif
#if defined(__x86_64__)
    case MMK_ISA_AVX2:
        return &peak_loops_avx2;
    case MMK_ISA_AVX512:
        return &peak_loops_avx512;
#endif
#if defined(__aarch64__)
    case MMK_ISA_SCALAR: /* the compiler makes NEON of scalar source */
    case MMK_ISA_NEON:
        return &peak_loops_neon;
#endif
    default:
        return NULL;
    }
}

static const struct peak_loops *widest_loops(void)
{
    for (int isa = MMK_ISA_COUNT - 1; isa > 0; isa--)
        if (loops_of((enum mmk_isa)isa))
            return loops_of((enum mmk_isa)isa);
    return &peak_loops_scalar;
}

/* Saved runs are read by these names, on whatever machine. "FMA scalar" stands in the oldest for
 * another measure, and is not to be given again. */
const char *peak_name(enum peak peak)
{
    static const char *const names[PEAK_COUNT] = {
        [PEAK_MULTIPLY_ADD_SCALAR] = "multiply-add scalar",
        [PEAK_FMA_AVX2] = "FMA avx2",
        [PEAK_FMA_AVX512] = "FMA avx512",
        [PEAK_FMA_NEON] = "FMA neon",
        [PEAK_READ_L1] = "read L1",
        [PEAK_READ_L2_SMALL] = "read small L2",
        [PEAK_READ_L2] = "read L2",
        [PEAK_READ_L3] = "read L3",
        [PEAK_READ_MEMORY] = "read memory",
        [PEAK_CLOCK] = "clock",
        [PEAK_ISSUE] = "issue",
    };
    return names[peak];
}

const char *peak_label(enum peak peak)
{
    static const char *const labels[PEAK_COUNT] = {
        [PEAK_MULTIPLY_ADD_SCALAR] = "multiply-add", /* fused or not: x86-64 has no scalar FMA */
        [PEAK_FMA_AVX2] = "FMA",
        [PEAK_FMA_AVX512] = "FMA",
        [PEAK_FMA_NEON] = "FMA",
        [PEAK_READ_L1] = "L1",
        [PEAK_READ_L2_SMALL] = "small L2",
        [PEAK_READ_L2] = "L2",
        [PEAK_READ_L3] = "L3",
        [PEAK_READ_MEMORY] = "memory",
        [PEAK_CLOCK] = "clock",
        [PEAK_ISSUE] = "issue",
    };
    return labels[peak];
}

const char *peak_unit(enum peak peak)
{
    if (peak == PEAK_CLOCK)
        return "GHz";
    if (peak == PEAK_ISSUE)
        return "G/s";
    return peak <= PEAK_FMA_NEON ? "GFLOP/s" : "GB/s";
}

static size_t whole_blocks(size_t bytes)
{
    size_t floats = bytes / sizeof(float) / PEAK_BLOCK * PEAK_BLOCK;
    return floats ? floats : PEAK_BLOCK;
}

/* On large pages, as the kernels' inputs are; written, so that it is not the page of zeros. */
static float *new_buffer(size_t floats)
{
    float *data = pages_alloc(floats * sizeof(float), NULL);
    for (size_t i = 0; data && i < floats; i++)
        data[i] = 1.0f;
    return data;
}

bool peaks_open(int max_threads, bool memory_too)
{
    const struct caches *caches = caches_get();
    buffers.threads = max_threads < MAX_THREADS ? max_threads : MAX_THREADS;
    buffers.l1_floats = whole_blocks(caches->l1d * 2 / 3);
    buffers.l2_small_floats = whole_blocks(caches->l2 / 8);
    buffers.l2_floats = whole_blocks(caches->l2 / 2);
    size_t l3 = caches->l3 / 4;
    buffers.l3_floats = whole_blocks(l3 < 8 * MEBIBYTE ? l3 : 8 * MEBIBYTE);
    size_t memory = 4 * caches->l3;
    memory = memory < 128 * MEBIBYTE ? 128 * MEBIBYTE : memory;
    buffers.memory_floats = whole_blocks(memory < 1024 * MEBIBYTE ? memory : 1024 * MEBIBYTE);
    if (memory_too)
        buffers.memory = new_buffer(buffers.memory_floats);
    bool good = buffers.memory != NULL || !memory_too;
    for (int t = 0; good && t < buffers.threads; t++) {
        struct thread_buffers *own = &buffers.own[t];
        own->l1 = new_buffer(buffers.l1_floats);
        own->l2 = new_buffer(buffers.l2_floats);
        own->l3 = new_buffer(buffers.l3_floats);
        good = own->l1 && own->l2 && own->l3;
    }
    if (!good)
        peaks_close();
    return good;
}

void peaks_close(void)
{
    for (int t = 0; t < buffers.threads; t++) {
        free(buffers.own[t].l1);
        free(buffers.own[t].l2);
        free(buffers.own[t].l3);
    }
    free(buffers.memory);
    memset(&buffers, 0, sizeof buffers);
}

bool peak_possible(enum peak peak)
{
    return peak > PEAK_FMA_NEON || loops_of((enum mmk_isa)peak) != NULL;
}

/* Each of `count` additions waits for the one before: one cycle each on every core in use today.
 * The addend is in a register, because some cores do away with an addition of a constant. */
static void add_chain(size_t count)
{
    uint64_t value = 0, addend = 1;
    for (size_t i = 0; i < count; i += 64) {
#if defined(__x86_64__)
        __asm__ volatile(".rept 64\n\tadd %1, %0\n\t.endr" : "+r"(value) : "r"(addend));
#elif defined(__aarch64__)
        __asm__ volatile(".rept 64\n\tadd %0, %0, %1\n\t.endr" : "+r"(value) : "r"(addend));
#else
        for (int j = 0; j < 64; j++) {
            value += addend;
            __asm__ volatile("" : "+r"(value));
        }
#endif
    }
}

/* Instructions that do nothing, and need no more than a place among those that are issued. Of four
 * bytes, as most are: 64 of one byte are more than Intel's micro-op cache holds of a line of code,
 * and come from its decoders, at rates 7 % apart on an idle Emerald Rapids; of four bytes 1 %. */
static void issue_nothing(size_t count)
{
    for (size_t i = 0; i < count; i += 64) {
#if defined(__x86_64__)
        __asm__ volatile(".rept 64\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\t.endr");
#elif defined(__aarch64__)
        __asm__ volatile(".rept 64\n\tnop\n\t.endr");
#else
        __asm__ volatile("");
#endif
    }
}

/* What one thread does; returns its amount of work. */
static double work(enum peak peak, enum read_way way, int thread, float *slice, size_t slice_floats,
                   size_t amount)
{
    const struct thread_buffers *own = &buffers.own[thread];
    const struct peak_loops *loops = widest_loops();
    switch (peak) {
    case PEAK_READ_L1:
        sink = loops->read[READ_IN_ORDER](own->l1, buffers.l1_floats, amount);
        return (double)(amount * buffers.l1_floats * sizeof(float));
    case PEAK_READ_L2_SMALL:
        sink = loops->read[READ_IN_ORDER](own->l2, buffers.l2_small_floats, amount);
        return (double)(amount * buffers.l2_small_floats * sizeof(float));
    case PEAK_READ_L2:
        sink = loops->read[READ_IN_ORDER](own->l2, buffers.l2_floats, amount);
        return (double)(amount * buffers.l2_floats * sizeof(float));
    case PEAK_READ_L3:
        sink = loops->read[way](own->l3, buffers.l3_floats, amount);
        return (double)(amount * buffers.l3_floats * sizeof(float));
    case PEAK_READ_MEMORY:
        sink = loops->read[way](slice, slice_floats, 1);
        return (double)(slice_floats * sizeof(float));
    case PEAK_CLOCK:
        add_chain(amount);
        return (double)amount;
    case PEAK_ISSUE:
        issue_nothing(amount);
        return (double)amount;
    default:
        loops = loops_of((enum mmk_isa)peak);
        sink = loops->multiply_add(amount);
        return (double)amount * loops->flops_per_iteration;
    }
}

/* Loop counts for about 100 us at rates that today's cores have (a slower one takes longer). */
static size_t amount_of(enum peak peak)
{
    size_t amount;
    switch (peak) {
    case PEAK_READ_L1:
        amount = 40 * MEBIBYTE / (buffers.l1_floats * sizeof(float));
        break;
    case PEAK_READ_L2_SMALL:
        amount = 20 * MEBIBYTE / (buffers.l2_small_floats * sizeof(float));
        break;
    case PEAK_READ_L2:
        amount = 20 * MEBIBYTE / (buffers.l2_floats * sizeof(float));
        break;
    case PEAK_READ_L3:
    case PEAK_READ_MEMORY:
        amount = 1;
        break;
    case PEAK_CLOCK:
        amount = 64 * 5000;
        break;
    case PEAK_ISSUE:
        amount = 64 * 30000;
        break;
    case PEAK_MULTIPLY_ADD_SCALAR:
        amount = 80000;
        break;
    default:
        amount = 45000;
        break;
    }
    return amount ? amount : 1;
}

/* The part of the memory block that is next; whole rounds of it go by before it is read again. */
static float *next_slice(size_t floats)
{
    if (buffers.memory_next + floats > buffers.memory_floats)
        buffers.memory_next = 0;
    float *slice = buffers.memory + buffers.memory_next;
    buffers.memory_next += floats;
    return slice;
}

static double measure_once(enum peak peak, enum read_way way, int threads)
{
    /* 8 MB a thread, or a quarter of the block for all where there are many threads. */
    size_t slice_floats = buffers.memory_floats / 4 / (size_t)threads / PEAK_BLOCK * PEAK_BLOCK;
    if (slice_floats > 2 * MEBIBYTE)
        slice_floats = 2 * MEBIBYTE;
    size_t amount = amount_of(peak);
    bool memory = peak == PEAK_READ_MEMORY;
    bool cached = peak >= PEAK_READ_L1 && peak <= PEAK_READ_L3;
    size_t warm_up = cached ? 1 : amount / 5;
    float *first = memory ? next_slice(slice_floats * (size_t)threads) : NULL;
    double total = 0.0, seconds;
    struct sample sample;
    enum disturbance disturbance;

    if (threads <= 1) {
        if (!memory)
            work(peak, way, 0, NULL, 0, warm_up);
        sample_begin(&sample, 1);
        total = work(peak, way, 0, first, slice_floats, amount);
        seconds = sample_end(&sample, &disturbance);
        return disturbance == UNDISTURBED ? total / seconds : (double)NAN;
    }
    /* From the first thread's start to the last one's end. */
#pragma omp parallel num_threads(threads) reduction(+ : total)
    {
        int thread = omp_get_thread_num();
        float *slice = memory ? first + (size_t)thread * slice_floats : NULL;
        if (!memory)
            work(peak, way, thread, NULL, 0, warm_up);
#pragma omp barrier
#pragma omp master
        sample_begin(&sample, threads);
#pragma omp barrier
        total += work(peak, way, thread, slice, slice_floats, amount);
#pragma omp barrier
#pragma omp master
        seconds = sample_end(&sample, &disturbance);
    }
    if (disturbance != UNDISTURBED)
        return NAN;
    return total / seconds / (peak == PEAK_CLOCK ? threads : 1);
}

static double measure_undisturbed(enum peak peak, enum read_way way, int threads)
{
    double rate = NAN;
    for (int attempt = 0; attempt < 3 && isnan(rate); attempt++)
        rate = measure_once(peak, way, threads);
    return rate;
}

static double glance(enum peak peak, size_t amount)
{
    work(peak, READ_IN_ORDER, 0, NULL, 0, amount / 5 + 1);
    double start = timer_now(), done = work(peak, READ_IN_ORDER, 0, NULL, 0, amount);
    return done / (timer_now() - start);
}

double peak_glance(enum peak peak)
{
    return glance(peak, (amount_of(peak) + 3) / 4);
}

double peak_clock_now(void)
{
    return glance(PEAK_CLOCK, amount_of(PEAK_CLOCK) / 20);
}

double peak_measure(enum peak peak, int threads)
{
    bool reads = peak >= PEAK_READ_L1 && peak <= PEAK_READ_MEMORY;
    int most = reads ? buffers.threads : MAX_THREADS;
    if (threads > most)
        threads = most;
    double rate = measure_undisturbed(peak, READ_IN_ORDER, threads);
    if (peak != PEAK_READ_L3 && peak != PEAK_READ_MEMORY)
        return rate;
    /* One pass each, open to whoever else uses the shared cache: the best of the ways is nearest to
     * what can be had. */
    for (enum read_way way = READ_IN_ORDER + 1; way < READ_WAYS; way++)
        rate = fmax(rate, measure_undisturbed(peak, way, threads));
    return rate;
}

enum peak peak_level(double working_set_bytes, int threads)
{
    const struct caches *caches = caches_get();
    double own = threads > 1 ? (double)threads : 1.0;
    if (working_set_bytes <= own * (double)caches->l1d)
        return PEAK_READ_L1;
    if (working_set_bytes <= own * (double)caches->l2 * 3 / 8)
        return PEAK_READ_L2_SMALL;
    if (working_set_bytes <= own * (double)caches->l2)
        return PEAK_READ_L2;
    if (working_set_bytes <= (double)caches->l3)
        return PEAK_READ_L3;
    return PEAK_READ_MEMORY;
}

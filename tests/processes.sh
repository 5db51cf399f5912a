#!/bin/sh
# processes.sh - libmmk.so in processes that fork, unload it, or may have no threads.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

cat >"$scratch/call.h" <<'END'
#include "mmk.h"
#include <stdlib.h>
enum { ROWS = 400, COLUMNS = 300, K = 5 };
static float scores[ROWS * COLUMNS], values[ROWS * K];
/* 0 where the call succeeds and finds the greatest of each row. */
static int call(enum mmk_status (*topk)(const struct mmk_matrix *, const struct mmk_topk_results *,
                                        const struct mmk_options *), int threads)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        scores[i] = (float)(i % COLUMNS);
    struct mmk_matrix matrix = {.data = scores, .rows = ROWS, .columns = COLUMNS};
    struct mmk_topk_results results = {.k = K, .values = values};
    struct mmk_options options = {.threads = threads};
    if (topk(&matrix, &results, &options) != MMK_OK)
        return 1;
    for (int i = 0; i < ROWS; i++)
        if (values[i * K] != COLUMNS - 1 || values[i * K + K - 1] != COLUMNS - K)
            return 1;
    return 0;
}
END

cat >"$scratch/unload.c" <<'END'
#include "call.h"
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library != NULL ? dlsym(library, "mmk_topk") : NULL;
    enum mmk_status (*topk)(const struct mmk_matrix *, const struct mmk_topk_results *,
                            const struct mmk_options *);
    if (symbol == NULL)
        return 2;
    memcpy(&topk, &symbol, sizeof topk);
    if (call(topk, 3) != 0 || dlclose(library) != 0)
        return 1;
    usleep(300000); /* the workers look around meanwhile */
    return 0;
}
END

cat >"$scratch/process.c" <<'END'
#include "call.h"
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static int threads_now(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    if (folder != NULL)
        closedir(folder);
    return count;
}
/* The child's exit status; a child that hangs is ended. */
static int in_child(int (*run)(void))
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        _exit(run());
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}
static int two(void) { return call(mmk_topk, 2); }
static int alone(void) { return two() != 0 || threads_now() != 1; }
static int together(void) { return two() != 0 || threads_now() != 2; }
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "fork") == 0)
        return two() != 0 || in_child(alone) != 0 || together() != 0;
    if (strcmp(what, "early fork") == 0) /* before there is any thread */
        return in_child(together) != 0;
    if (strcmp(what, "other OpenMP") == 0) {
        int ran = 0;
#pragma omp parallel num_threads(2)
#pragma omp atomic
        ran++;
        return ran != 2 || in_child(alone) != 0;
    }
    if (strcmp(what, "no threads") == 0) {
        struct rlimit none = {1, 1};
        if ((geteuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0)
            return 2;
        return call(mmk_topk, 8) != 0 || threads_now() != 1 || call(mmk_topk, 0) != 0;
    }
    if (strcmp(what, "limit") == 0) { /* OMP_THREAD_LIMIT=3 */
        struct mmk_matrix rows = {.data = scores, .rows = 4000, .columns = 8};
        struct mmk_infonce_problem problem = {.x = &rows, .y = &rows, .logit_scale = 1};
        struct mmk_infonce_results results = {.loss = values};
        size_t least[9] = {0};
        for (int threads = 2; threads < 9; threads++) {
            struct mmk_workspace_bytes bytes = {0, 0};
            if (mmk_infonce(&problem, &results,
                            &(struct mmk_options){.threads = threads, .query = &bytes}) != MMK_OK)
                return 2;
            least[threads] = bytes.least;
        }
        return least[2] >= least[3] || least[3] != least[4] || least[4] != least[8];
    }
    if (strcmp(what, "stacks") == 0) /* fewer than 8 of OpenMP's threads find room for theirs */
        return call(mmk_topk, 8) != 0 || threads_now() < 2;
    if (strcmp(what, "nested") == 0) {
        int wrong = 0;
        static float row[8] = {1, 2, 3, 4, 5, 6, 7, 8};
#pragma omp parallel num_threads(2) reduction(+ : wrong)
        {
            float first = 0;
            struct mmk_matrix matrix = {.data = row, .rows = 4, .columns = 2};
            float found[4];
            struct mmk_topk_results results = {.k = 1, .values = found};
            struct mmk_options options = {.threads = 4};
            wrong += mmk_topk(&matrix, &results, &options) != MMK_OK;
            first = found[3];
            wrong += first != 8;
        }
        return wrong != 0 || threads_now() != 2;
    }
    return 2;
}
END

# Calls whose bits are compared with those of a plain call before.
cat >"$scratch/bits.c" <<'END'
#include "mmk.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
enum { ROWS = 96, DIM = 40, K = 3, CALLERS = 8, CHILDREN = 12 };
static float x[ROWS * DIM], y[ROWS * DIM];
struct bits {
    float loss, dx[ROWS * DIM], scores[ROWS * ROWS], best[ROWS * K];
};
static struct bits expected, of[CALLERS];
static pthread_barrier_t together;
static volatile int going = 1;
static int call(struct bits *b, int threads)
{
    struct mmk_matrix mx = {.data = x, .rows = ROWS, .columns = DIM};
    struct mmk_matrix my = {.data = y, .rows = ROWS, .columns = DIM};
    struct mmk_matrix_out dx = {.data = b->dx, .rows = ROWS, .columns = DIM};
    struct mmk_matrix_out out = {.data = b->scores, .rows = ROWS, .columns = ROWS};
    struct mmk_matrix scores = {.data = b->scores, .rows = ROWS, .columns = ROWS};
    struct mmk_infonce_problem clip = {
        .x = &mx, .y = &my, .similarity = MMK_COSINE, .logit_scale = 10};
    struct mmk_infonce_results wanted = {.loss = &b->loss, .dx = &dx};
    struct mmk_topk_results best = {.k = K, .values = b->best};
    struct mmk_options options = {.threads = threads};
    memset(b, 0, sizeof *b);
    return mmk_infonce(&clip, &wanted, &options) != MMK_OK ||
           mmk_similarity_matrix(MMK_NEG_SQ_L2, &mx, &my, &out, &options) != MMK_OK ||
           mmk_topk(&scores, &best, &options) != MMK_OK;
}
static int differs(struct bits *b, int threads)
{
    return call(b, threads) != 0 || memcmp(b, &expected, sizeof *b) != 0;
}
static void *first_call(void *b)
{
    pthread_barrier_wait(&together);
    return call(b, 1) != 0 ? b : NULL;
}
static void *many_calls(void *b)
{
    int wrong = 0;
    while (going)
        wrong += differs(b, 2);
    return wrong ? b : NULL;
}
static void *one_call(void *b)
{
    return differs(b, 1) || differs(b, 3) ? b : NULL;
}
/* How many of them return that something was wrong; -1: they cannot be made. */
static int callers(void *(*run)(void *), int count, size_t stack, int (*meanwhile)(void))
{
    pthread_t thread[CALLERS];
    pthread_attr_t attributes;
    int wrong = 0;
    pthread_attr_init(&attributes);
    if (stack != 0 && pthread_attr_setstacksize(&attributes, stack) != 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (pthread_create(&thread[i], &attributes, run, &of[i]) != 0)
            return -1;
    if (meanwhile != NULL)
        wrong += meanwhile();
    going = 0;
    for (int i = 0; i < count; i++) {
        void *result;
        pthread_join(thread[i], &result);
        wrong += result != NULL;
    }
    return wrong;
}
static int forks(void)
{
    static struct bits own;
    int wrong = 0;
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            _exit(differs(&own, 2));
        }
        wrong += child < 0 || waitpid(child, &status, 0) != child || status != 0;
    }
    return wrong;
}
static int changes(void)
{
    int wrong = 0;
    for (int i = 0; i < 300; i++) {
        for (unsigned isa = 0; isa < MMK_ISA_COUNT; isa++)
            mmk_isa_use(mmk_isa_name((enum mmk_isa)isa));
        usleep(1000);
    }
    return wrong;
}
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    for (int i = 0; i < ROWS * DIM; i++) {
        x[i] = (float)(i * 37 % 101) / 50 - 1;
        y[i] = (float)(i * 53 % 89) / 44 - 1;
    }
    if (strcmp(what, "first") == 0) {
        pthread_barrier_init(&together, NULL, CALLERS);
        int wrong = callers(first_call, CALLERS, 0, NULL);
        if (wrong != 0 || call(&expected, 1) != 0)
            return 1;
        for (int i = 0; i < CALLERS; i++)
            wrong += memcmp(&of[i], &expected, sizeof expected) != 0;
        return wrong != 0;
    }
    if (call(&expected, 1) != 0 || expected.loss <= 0)
        return 2;
    if (strcmp(what, "fork") == 0)
        return callers(many_calls, 3, 0, forks) != 0;
    if (strcmp(what, "isa") == 0)
        return callers(many_calls, 2, 0, changes) != 0;
    if (strcmp(what, "small stacks") == 0)
        return callers(one_call, CALLERS, 48 << 10, NULL) != 0;
    if (strcmp(what, "nested") == 0) { /* teams within a team, each of whose threads calls */
        int wrong = 0, ran = 0, next = 0;
#pragma omp parallel num_threads(2) reduction(+ : wrong, ran) shared(next)
#pragma omp parallel num_threads(2) reduction(+ : wrong, ran) shared(next)
        {
            int mine;
#pragma omp atomic capture
            mine = next++;
            wrong += mine >= CALLERS || differs(&of[mine % CALLERS], 2);
            ran++;
        }
        return wrong != 0 || ran != 4;
    }
    return 2;
}
END

flags="-std=gnu11 -Wall -Wextra -I kernels ${SAN:+-fsanitize=$SAN}"
run="timeout 60 env LD_LIBRARY_PATH=$BUILD/lib"
check "build a program that loads libmmk.so" \
    "$CC" $flags "$scratch/unload.c" -o "$scratch/unload" -ldl
check "the library may be closed after a call with threads" \
    $run "$scratch/unload" "$BUILD/lib/libmmk.so"
check "build a program that is linked with libmmk.so" \
    "$CC" $flags -fopenmp "$scratch/process.c" "$BUILD/lib/libmmk.so" -o "$scratch/process"
check "a child computes alone, its parent goes on with its threads" $run "$scratch/process" fork
check "a child of a process without threads has threads" $run "$scratch/process" "early fork"
check "a child of a process with an OpenMP of its own computes" \
    $run "$scratch/process" "other OpenMP"
check "a call wants no more threads than OpenMP may have" $run OMP_THREAD_LIMIT=3 "$scratch/process" limit
check "a call within a parallel region makes no threads" $run "$scratch/process" nested
check "build a program that compares bits" "$CC" $flags -fopenmp -pthread "$scratch/bits.c" \
    "$BUILD/lib/libmmk.so" -o "$scratch/bits"
check "first calls from 8 threads at once" $run "$scratch/bits" first
check "forks while other threads call" $run "$scratch/bits" fork
check "mmk_isa_use while other threads call" $run "$scratch/bits" isa
check "calls from threads with stacks of 48 KB" $run "$scratch/bits" "small stacks"
check "calls from teams within a team" $run OMP_MAX_ACTIVE_LEVELS=2 "$scratch/bits" nested
# The caller's OpenMP is the other compiler's: libmmk.so has its own beside it.
case $(basename "$CC") in *clang*) other=gcc runtimes='libomp libgomp' ;; *) other=clang runtimes='libgomp libomp' ;; esac
if [ -z "$SAN" ] && have $other &&
    $other $flags -fopenmp -pthread "$scratch/bits.c" "$BUILD/lib/libmmk.so" -o "$scratch/both" \
        2>/dev/null; then
    for runtime in $runtimes; do
        check "$runtime is in that process" \
            sh -c "LD_LIBRARY_PATH='$BUILD/lib' ldd '$scratch/both' | grep -q $runtime"
    done
    check "teams of another OpenMP call" $run OMP_MAX_ACTIVE_LEVELS=2 "$scratch/both" nested
    check "and a process with both forks" $run "$scratch/both" fork
else
    skip "two OpenMP runtimes in one process: needs $other with its OpenMP, and no sanitizer"
fi
case $SAN in
*thread* | *address*) ;; # these have threads and memory of their own
*)
    # The library has to be found by another user.
    mkdir "$scratch/open" && chmod 755 "$scratch" "$scratch/open" &&
        cp -L "$BUILD/lib/libmmk.so" "$scratch/process" "$scratch/open" &&
        ln -s libmmk.so "$scratch/open/$(objdump -p "$BUILD/lib/libmmk.so" | awk '/SONAME/ { print $2 }')"
    for stacks in OMP_STACKSIZE=400M OMP_STACKSIZE='400000 k' GOMP_STACKSIZE=409600; do
        check "threads with $stacks are as many as find room" sh -c \
            'ulimit -v 1500000; timeout 60 env LD_LIBRARY_PATH="$1/lib" "$3" "$2/process" stacks' \
            sh "$BUILD" "$scratch" "$stacks"
    done
    check "where no thread can be made a call computes alone" \
        timeout 60 env LD_LIBRARY_PATH="$scratch/open" "$scratch/open/process" "no threads"
    ;;
esac
finish

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
check "a call within a parallel region makes no threads" $run "$scratch/process" nested
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

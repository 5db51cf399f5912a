#!/bin/sh
# cxx.sh - mmk.h compiles as C++ and as strict C, and the library can be called from both.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

cat >"$scratch/use.cc" <<'END'
#include "mmk.h"
#include <cstdio>
#include <vector>
int main()
{
    std::vector<float> x(8, 1.0f), y(8, 2.0f);
    float cosine = 0;
    mmk_status status = mmk_similarity_pair(MMK_COSINE, x.size(), x.data(), y.data(), &cosine);
    std::printf("%s %.6f %s\n", mmk_status_string(status), static_cast<double>(cosine), mmk_version());
    return status == MMK_OK && cosine > 0.999f && cosine < 1.001f ? 0 : 1;
}
END
printf '#include "mmk.h"\nint x;\n' >"$scratch/use.c"

# Designated initialisers of every struct, which C++ has since 2020, in the order of the fields.
cat >"$scratch/structs.cc" <<'END'
#include "mmk.h"
#include <cstdio>
int main()
{
    const float one[4] = {1, 0, 0, 1};
    float loss = 1, gradient[4], variance[4] = {}, value[2];
    double recall[1];
    const size_t start[] = {0, 1, 2}, at[] = {1};
    const uint32_t column[] = {0, 1};
    size_t count = 0;
    mmk_workspace_bytes bytes = {.least = 0, .all = 0};
    const mmk_options options = {.threads = 1, .workspace = nullptr, .workspace_bytes = 0}, query = {.query = &bytes};
    const mmk_matrix x = {.data = one, .rows = 2, .columns = 2, .leading_dimension = 2, .type = MMK_F32};
    const mmk_matrix p = {.data = variance, .rows = 2, .columns = 2};
    const mmk_matrix_out dx = {.data = gradient, .rows = 2, .columns = 2};
    const mmk_csr targets = {.row_start = start, .column = column};
    const mmk_infonce_problem infonce = {.x = &x, .y = &x, .similarity = MMK_COSINE, .logit_scale = 10, .targets = &targets};
    const mmk_infonce_results wanted = {.loss = &loss, .rows_counted = &count, .dx = &dx};
    const mmk_sigmoid_problem sigmoid = {.x = &x, .y = &x, .log_variance_x = &p, .log_variance_y = &p, .similarity = MMK_NEG_SQ_L2, .logit_scale = 1, .bias = 1, .positives = &targets};
    const mmk_sigmoid_results both = {.loss = &loss, .dbias = value};
    const mmk_topk_results first = {.k = 1, .values = value, .count = &count};
    const mmk_search_problem search = {.x = &x, .y = &x, .similarity = MMK_DOT};
    const mmk_search_results found = {.for_x = &first};
    const mmk_retrieval_problem ranked = {.m = 2, .n = 2, .depth = 1, .rankings = column, .relevant = &targets, .recall_count = 1, .recall_at = at};
    const mmk_retrieval_results metrics = {.recall = recall};
    mmk_status status = MMK_OK;
    if ((status = mmk_infonce(&infonce, &wanted, &query)) || (status = mmk_infonce(&infonce, &wanted, &options)) ||
        (status = mmk_sigmoid(&sigmoid, &both, nullptr)) || (status = mmk_search(&search, &found, nullptr)) ||
        (status = mmk_retrieval_metrics(&ranked, &metrics)))
        std::printf("%s\n", mmk_error_detail());
    return status == MMK_OK && bytes.least > 0 && count == 1 && recall[0] == 1 ? 0 : 1;
}
END

flags="-Wall -Wextra -Wpedantic -Werror -I kernels ${SAN:+-fsanitize=$SAN}"
for cxx in g++ clang++; do
    have $cxx || continue
    for standard in c++11 c++17 c++20; do
        check "$cxx -std=$standard" $cxx -std=$standard $flags -fsyntax-only "$scratch/use.cc"
    done
done
for cxx in g++ clang++; do
    have $cxx || continue
    check "$cxx takes every struct by designated initialisers" $cxx -std=c++20 $flags \
        -Wno-missing-field-initializers -fsyntax-only "$scratch/structs.cc"
done
for standard in c11 c17; do
    check "$CC -std=$standard" "$CC" -std=$standard $flags -Wstrict-prototypes -fsyntax-only \
        "$scratch/use.c"
done

cxx=g++
case $CC in *clang*) cxx=clang++ ;; esac
if have $cxx; then
    check "link a C++ program" $cxx $flags "$scratch/use.cc" "$BUILD/lib/libmmk.so" \
        -o "$scratch/use"
    check "run a C++ program" env LD_LIBRARY_PATH="$BUILD/lib" "$scratch/use"
    check "link a C++20 program with every struct" $cxx -std=c++20 $flags \
        -Wno-missing-field-initializers "$scratch/structs.cc" "$BUILD/lib/libmmk.so" \
        -o "$scratch/structs"
    check "run it" env LD_LIBRARY_PATH="$BUILD/lib" "$scratch/structs"
else
    skip "no C++ compiler to link with"
fi
finish

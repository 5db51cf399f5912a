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

flags="-Wall -Wextra -Wpedantic -Werror -I kernels ${SAN:+-fsanitize=$SAN}"
for cxx in g++ clang++; do
    have $cxx || continue
    for standard in c++11 c++17 c++20; do
        check "$cxx -std=$standard" $cxx -std=$standard $flags -fsyntax-only "$scratch/use.cc"
    done
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
else
    skip "no C++ compiler to link with"
fi
finish

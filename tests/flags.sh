#!/bin/sh
# flags.sh - a user's compiler flags: those with which the bits cannot hold are refused.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
unset CFLAGS CPPFLAGS LDFLAGS

# refused variable=flags word: make ends with status 2 and a sentence that names the word, and makes
# nothing.
refused() {
    make -n BUILD="$scratch/refused" "$1" all >"$scratch/out" 2>&1
    status=$?
    cat "$scratch/out"
    [ $status -eq 2 ] && [ "$(wc -l <"$scratch/out")" -eq 1 ] &&
        grep -q -e "$2: .*bits.*leave it out" "$scratch/out" && ! [ -e "$scratch/refused" ]
}

for flag in -Ofast -ffast-math -funsafe-math-optimizations -fassociative-math -freciprocal-math \
    -ffinite-math-only -fno-signed-zeros -ffp-contract=fast -ffp-contract=on -ffp-model=fast \
    -mfpmath=387 -mrecip; do
    check "CFLAGS with $flag" refused "CFLAGS=-O2 $flag -g" $flag
done
check "LDFLAGS with -ffast-math, which makes denormals zero" refused LDFLAGS=-ffast-math -ffast-math
check "CC with -Ofast" refused "CC=$CC -Ofast" -Ofast
check "CPPFLAGS with -ffast-math" refused CPPFLAGS=-ffast-math -ffast-math
check "-ffp-contract=off is no such flag" \
    make -n BUILD="$scratch/allowed" CFLAGS='-O1 -ffp-contract=off -fno-fast-math -mfpmath=sse' all

# Quick to compile: what is asked is whether it links, and which names are left.
build=$scratch/lto
with_lto() {
    make -j2 BUILD="$build" CC="$CC" CFLAGS='-O0 -flto' SAN= "$build/lib/libmmk.a" \
        "$build/lib/libmmk.so" "$build/lib/libmmk-autovec.a" 2>&1 | tee "$scratch/made"
    [ -e "$build/lib/libmmk-autovec.a" ]
}
check "CFLAGS with -flto" with_lto
check "is said to have no effect" grep -q -e '^-flto: .*-fno-lto' "$scratch/made"
nm -g --defined-only "$build/lib/libmmk.a" | awk 'NF == 3 { print $3 }' >"$scratch/names"
check "libmmk.a has names" test "$(grep -c '^mmk_' "$scratch/names")" -gt 20
# Of clang also a lock of OpenMP's, of which a program is to have one.
check "and none but mmk_*" sh -c "! grep -v -e '^mmk_' -e '^\.gomp_critical' '$scratch/names'"
printf '#include <mmk.h>\nint main(void) { return mmk_numerics_version() < 1; }\n' \
    >"$scratch/user.c"
check "a user's program links with -flto" \
    "$CC" -flto -Ikernels "$scratch/user.c" "$build/lib/libmmk.a" -fopenmp \
    $(pkg-config --libs libcpuid 2>/dev/null) -lm -o "$scratch/user"
check "and runs" "$scratch/user"
finish

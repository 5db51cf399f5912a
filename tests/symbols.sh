#!/bin/sh
# symbols.sh - both libraries export the functions of mmk.h and nothing else.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

declared() {
    # every name between MMK_API and its opening bracket
    tr '\n' ' ' <kernels/mmk.h | grep -o 'MMK_API [^;({]*(' | grep -o 'mmk_[a-z0-9_]* *($' |
        tr -d ' (' | sort
}

# Sanitizers add names of their own.
exported() {
    nm "$@" | awk '{ print $NF }' | grep -v -E '^$|:$|^__(odr_)?asan|^__ubsan|^_(init|fini)$' | sort
}

same() {
    diff "$scratch/declared" "$1"
}

declared >"$scratch/declared"
exported -D --defined-only "$BUILD/lib/libmmk.so" >"$scratch/shared"
exported -g --defined-only "$BUILD/lib/libmmk.a" >"$scratch/static"

check "mmk.h declares functions" test "$(wc -l <"$scratch/declared")" -gt 10
check "libmmk.so exports what mmk.h declares" same "$scratch/shared"
check "libmmk.a exports what mmk.h declares" same "$scratch/static"
check "the soname has the major version" \
    sh -c "objdump -p '$BUILD/lib/libmmk.so' | grep -q 'SONAME *libmmk.so.[0-9]*\$'"
check "libmmk.so has no text relocations and no executable stack" \
    sh -c "! readelf -dW '$BUILD/lib/libmmk.so' | grep -q TEXTREL &&
           readelf -lW '$BUILD/lib/libmmk.so' | grep GNU_STACK | grep -qv RWE"
# A masked load of a constant with an empty mask never brings its page in, and is slow (avx512.h).
no_masked_constant() {
    ! objdump -d --no-show-raw-insn "$BUILD/lib/libmmk.so" | grep -E '\(%rip\).*\{%k[1-7]\}'
}
check "no constant is loaded through a mask" no_masked_constant
finish

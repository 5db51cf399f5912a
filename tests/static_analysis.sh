#!/bin/sh
# static_analysis.sh - the loops that bench/static-analysis names are in the objects, the tile's run in
# registers.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

for tool in "${LLVM_MCA:-llvm-mca-19}" "${LLVM_OBJDUMP:-llvm-objdump-19}"; do
    if ! have "$tool"; then
        skip "static analysis: $tool is not installed (package llvm-19)"
        finish
    fi
done
if [ -n "$SAN" ]; then
    skip "static analysis: sanitizers change the loops"
    finish
fi

# The tile products of the table $1 leave the stack alone: with accumulators in memory they are half as fast.
in_registers() {
    awk -F'|' '
        $3 ~ /tile_product/ { found = 1 }
        $3 ~ /tile_product/ && $6 != 0 { print; bad = 1 }
        END { exit bad || !found }' "$1"
}

# One core for each: registers are the same on all.
export CORES='znver4 neoverse-n1'

# analyse isa folder
analyse() {
    check "$1 has the loops of the list" bench/static-analysis "$scratch/$1.md" "$1=$2"
    check "$1 keeps the accumulators of its tile in registers" in_registers "$scratch/$1.md"
}

# gone isa folder: the tile's object is that of another family.
gone() {
    cp -r "$2/kernels" "$scratch/kernels"
    cp "$2/kernels/topk/topk_$1.o" "$scratch/kernels/tile/tile_$1.o"
    ! bench/static-analysis "$scratch/gone.md" "$1=$scratch" 2>"$scratch/error" &&
        grep "no function tile_product_rows_$1" "$scratch/error" && ! test -e "$scratch/gone.md"
}

case $(uname -m) in
x86_64)
    analyse avx2 "$BUILD/obj"
    analyse avx512 "$BUILD/obj"
    check "a function that is gone is missed" gone avx2 "$BUILD/obj"
    if [ -d "$CROSS_BUILD/obj" ]; then
        analyse neon "$CROSS_BUILD/obj"
    else
        skip "static analysis: no cross-built objects (package gcc-aarch64-linux-gnu)"
    fi
    ;;
aarch64)
    analyse neon "$BUILD/obj"
    check "a function that is gone is missed" gone neon "$BUILD/obj"
    ;;
*) skip "static analysis: no wide instruction set here" ;;
esac
finish

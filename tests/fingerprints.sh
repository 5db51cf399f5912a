#!/bin/sh
# fingerprints.sh - all results have the bits of tests/fingerprints, and errors go both ways.
# SPDX-License-Identifier: MIT
#
# usage: tests/fingerprints.sh [option of mmk-check, as --kernel NAME]...
#
# What changes bits on purpose remakes the file: make fingerprints shows the hashes and errors that
# differ, before and after, for the reviewer and the commit. See mmk_numerics_version in mmk.h.
cd "$(dirname "$0")/.." && . tests/suite.inc

least=300 # lines
[ $# -gt 0 ] && least=0

# Hashes without errors, whose last digits hang on the machine's libm; with options, of those kernels
# that ran.
hashes() {
    awk -v least="$least" 'NR == FNR { ran[$1] = 1; next } least || $1 in ran' "$scratch/now" "$1" |
        sed -E 's/ +[0-9.infa-]+ of the bound$//; /errors on average/d'
}

no_leaning() {
    "$BUILD/bin/mmk-check" --quick --fingerprint "$@" >"$scratch/now" 2>"$scratch/said" || {
        cat "$scratch/said"
        return 1
    }
}

same() {
    hashes tests/fingerprints >"$scratch/a" && hashes "$scratch/now" >"$scratch/b"
    test "$(wc -l <"$scratch/a")" -gt "$least" && diff "$scratch/a" "$scratch/b" >"$scratch/diff" &&
        return
    head -n 20 "$scratch/diff"
    return 1
}

check "no output's errors lean to one side" no_leaning "$@"
check "all bits are those of tests/fingerprints" same
finish

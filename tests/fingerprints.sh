#!/bin/sh
# fingerprints.sh - all results have the bits of tests/fingerprints, and errors go both ways.
# SPDX-License-Identifier: MIT
#
# What changes bits on purpose remakes the file: make fingerprints shows the hashes and errors that
# differ, before and after, for the reviewer and the commit. See mmk_numerics_version in mmk.h.
cd "$(dirname "$0")/.." && . tests/suite.inc

# Hashes without errors, whose last digits hang on the machine's libm.
hashes() {
    sed -E 's/ +[0-9.infa-]+ of the bound$//; /errors on average/d' "$1"
}

no_leaning() {
    "$BUILD/bin/mmk-check" --quick --fingerprint >"$scratch/now" 2>"$scratch/said" || {
        cat "$scratch/said"
        return 1
    }
}

same() {
    hashes tests/fingerprints >"$scratch/a" && hashes "$scratch/now" >"$scratch/b"
    test "$(wc -l <"$scratch/a")" -gt 300 && diff "$scratch/a" "$scratch/b" >"$scratch/diff" && return
    head -n 20 "$scratch/diff"
    return 1
}

check "no output's errors lean to one side" no_leaning
check "all bits are those of tests/fingerprints" same
finish

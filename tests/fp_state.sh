#!/bin/sh
# fp_state.sh - every parallel block of kernels/ begins with FP_STATE_DEFAULT(), since a worker has the
# floating-point state of whoever made it. What a call does in any state: tests/unit/test_fp_state.c.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

blocks() {
    awk '
FNR == 1 { due = 0 }
due == 2 { due = 0; if ($1 != "FP_STATE_DEFAULT();") print FILENAME ":" FNR ": " $0 }
due == 1 { due = 2; if ($1 != "{") { print FILENAME ":" FNR ": no block"; due = 0 } }
/# *pragma omp parallel/ { due = 1; seen++; if (/parallel (for|sections)/) print FILENAME ":" FNR ": " $0 }
END { if (!seen) print "no parallel block was found" }' "$@"
}

blocks kernels/*/*.[ch] >"$scratch/bad"
cat "$scratch/bad"
check "parallel blocks begin with FP_STATE_DEFAULT()" test ! -s "$scratch/bad"

printf '#pragma omp parallel\n    {\n        run();\n    }\n' >"$scratch/one.c"
printf '#pragma omp parallel\n    run();\n' >"$scratch/two.c"
printf '#pragma omp parallel for\n    {\n        FP_STATE_DEFAULT();\n    }\n' >"$scratch/three.c"
for file in one two three; do
    blocks "$scratch/$file.c" >"$scratch/found"
    check "a block without it is found ($file)" test "$(wc -l <"$scratch/found")" -eq 1
done
finish

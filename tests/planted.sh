#!/bin/sh
# planted.sh - every bug that is kept as a sed script can still be planted: it changes the file that it names.
# SPDX-License-Identifier: MIT
#
# That the checks find them takes long, and is run by tests/run mutants and by hand (make sanitizers).
cd "$(dirname "$0")/.." && . tests/suite.inc

for script in tests/mutants/*.sed tests/sanitizers/planted/*.sed; do
    file=$(sed -n 's/^# file: //p' "$script")
    sed -f "$script" "$file" >"$scratch/changed" 2>"$scratch/output"
    check "$script changes $file" sh -c "test -s '$scratch/changed' && ! cmp -s '$file' '$scratch/changed'"
done
finish

#!/bin/sh
# planted.sh - every bug that is kept as a sed script can still be planted, and every entry of the list of equivalent
# mutants is of one place that there is.
# SPDX-License-Identifier: MIT
#
# That the checks find them takes long, and is run by tests/run mutants and by hand (make sanitizers).
cd "$(dirname "$0")/.." && . tests/suite.inc

for script in tests/mutants/*.sed tests/sanitizers/planted/*.sed; do
    file=$(sed -n 's/^# file: //p' "$script")
    sed -f "$script" "$file" >"$scratch/changed" 2>"$scratch/output"
    check "$script changes $file" sh -c "test -s '$scratch/changed' && ! cmp -s '$file' '$scratch/changed'"
done
have python3 || skip "the list of equivalent mutants: python3 is not installed"
have python3 && check "the list of equivalent mutants" python3 tests/mutants/mutate.py --check-list
check "a bug that there is not is refused" sh -c "tests/mutants/run tie_order none 2>&1 | grep -q \"no bug 'none'\""
for tool in mmk-ops mmk-probe; do
    check "$tool refuses what it does not know" sh -c "'$BUILD/bin/$tool' --bogus 2>&1 | grep -q \"'--bogus'\""
done
check "a suite that there is not is refused" sh -c "tests/run options none 2>&1 | grep -q \"no suite is called 'none'\""
finish

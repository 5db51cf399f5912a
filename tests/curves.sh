#!/bin/sh
# curves.sh - mmk-bench --curves: what it saves, that it overwrites nothing and keeps its time.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
bench=$BUILD/bin/mmk-bench results=$scratch/results

# Every point was timed or measured, but of the scalar version, which may be too slow; on a busy
# machine some are void.
complete() {
    grep -q ' 0 failed' "$1" && ! grep -v -e '^- scalar' -e ': void:' -e ': disturbed:' "$1" | grep '^- '
}

is_svg() {
    grep -q '<svg' "$1" && grep -q '</svg>' "$1" && grep -q "$2" "$1"
}

# Bytes that were resident in a process with one call.
resident() {
    "$bench" --once infonce_forward_backward --shape "$1" |
        sed -n 's/^\([0-9]*\) bytes resident.*/\1/p'
}

check "a smoke run" sh -c "'$bench' --curves --smoke --results '$results' >'$scratch/report'"
check "every point is there" complete "$scratch/report"
day=$(ls -d "$results"/*/*/)
check "curves.json is saved" test -s "$day/curves.json"
for title in 'Time against the batch' 'Memory against the batch' 'Speed against the workspace' \
    'Speed-up by threads'; do
    check "TABLES.md has: $title" grep -q "### $title" "$day/TABLES.md"
done
check "the table of all machines has it too" grep -q '## Curves' "$results/TABLES.md"

# The tables are made from the file as they were from the run.
grep '^|' "$scratch/report" | awk -F'|' '{ print $2, NF }' >"$scratch/from_run"
grep '^|' "$day/TABLES.md" | awk -F'|' '{ print $2, NF }' >"$scratch/from_file"
check "the tables of run and file have the same rows" cmp "$scratch/from_run" "$scratch/from_file"

if have gnuplot; then
    check "time is plotted" is_svg "$day/infonce-time.svg" 'FMA limit'
    check "speed is plotted" is_svg "$day/infonce-speed.svg" 'GFLOP/s'
    check "memory is plotted" is_svg "$day/infonce-memory.svg" 'the logits alone'
    check "the workspace is plotted" is_svg "$day/infonce-workspace.svg" 'workspace, MB'
    check "no plot is left half done" test -z "$(find "$results" -name '*.part')"
else
    skip "gnuplot is not installed"
fi

cp "$day/curves.json" "$scratch/first"
check "a second run of the day" \
    sh -c "'$bench' --curves=threads --smoke --results '$results' >'$scratch/report'"
check "it leaves the first alone" cmp "$scratch/first" "$day/curves.json"
check "it has a folder of its own" test -s "${day%/}.2/curves.json"
check "a run of all kernels goes beside it" \
    sh -c "'$bench' --smoke --kernel infonce_forward --results '$results' >'$scratch/report' &&
           test -s '${day%/}.2/run.json' && ! test -e '${day%/}.3'"
check "the tables have both" \
    sh -c "grep -q '### infonce_forward' '$results/TABLES.md' &&
           grep -q '### Speed-up by threads' '$results/TABLES.md'"

check "searches by their dimension" \
    sh -c "'$bench' --curves=search --smoke --results '$results' >'$scratch/report'"
check "all of them are right" grep -q ' 0 failed' "$scratch/report"
check "there is a table" grep -q '^## Queries a second against the dimension' "$scratch/report"
check "a line a dimension" test "$(grep -c '^|.* 64x2000x[0-9]* k=10 cosine |' "$scratch/report")" -eq 2
if have gnuplot; then
    searches=${day%/}.3
    check "queries a second are plotted" is_svg "$searches/search-dimension.svg" 'FMA limit of all products'
fi

# 2048 x 2048 logits are 16.8 MB, of which only the stored ones are kept.
streamed=$(resident 2048x2048x16:streamed) stored=$(resident 2048x2048x16:stored)
check "memory holds the logits when they are stored ($stored bytes)" test "$stored" -gt 16000000
check "and does not when they are streamed ($streamed bytes)" \
    test $((stored - streamed)) -gt 12000000

start=$(date +%s)
check "a run with little time ends" \
    sh -c "timeout 60 '$bench' --curves --seconds 4 --peers none >'$scratch/report'"
check "soon ($(($(date +%s) - start)) s)" test $(($(date +%s) - start)) -le 10
check "and says what it left out" \
    sh -c "grep -q '^- [a-z0-9]* at .*x512 stored: not timed: .*--seconds' '$scratch/report' &&
           grep -q '^- .*: not measured: would take .*--seconds' '$scratch/report'"

check "an unknown curve is refused" \
    sh -c "! '$bench' --curves=speed 2>'$scratch/error' && grep -q 'no such curve' '$scratch/error'"
check "--dim without --curves is refused" sh -c "! '$bench' --dim 64 2>/dev/null"
finish

#!/bin/sh
# accuracy.sh - mmk-bench accuracy: what it prints and saves, PyTorch where there is one, and what it
# refuses.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
bench=$BUILD/bin/mmk-bench results=$scratch/results

is_svg() {
    grep -q '<svg' "$1" && grep -q '</svg>' "$1" && grep -q "$2" "$1"
}

check "a smoke run" \
    sh -c "'$bench' accuracy --smoke --results '$results' --json '$scratch/json' >'$scratch/report'"
day=$(ls -d "$results"/*/*/)
check "accuracy.json is saved" test -s "$day/accuracy.json"
check "and where --json says" test -s "$scratch/json"
check "TABLES.md has the errors" grep -q '^### Y is long: 256 x n$' "$day/TABLES.md"
check "the table of all machines has them too" grep -q '^## Accuracy$' "$results/TABLES.md"
check "every loss, length, side and kind of rows is there" \
    test "$(grep -c '^| [IUus][a-z]*.* |  *\(256\|1024\) | ' "$scratch/report")" = 40
check "and logits" grep -q '^|  *512 |  *[0-9.]*e-[67] |  *[0-9.]*e-[67] |  *- |$' "$scratch/report"
check "what is left out is said" grep -q 'on the CPU: left out\.' "$scratch/report"
check "every kernel that rounds is there" \
    test "$(grep -c '^| [a-z_0-9]*  *|.*| mmk  *| scalar.* |  *[0-9.]*e-[0-9]* | ' "$scratch/report")" = 35
sed '/^## Every kernel/,$d' "$scratch/report" | grep '^|' >"$scratch/from_run"
grep '^|' "$day/TABLES.md" | tail -n "$(wc -l <"$scratch/from_run")" >"$scratch/from_file"
check "the tables of run and file are the same" cmp "$scratch/from_run" "$scratch/from_file"
check "accuracy.md of the machine has all of them" \
    sh -c "cmp '$scratch/report' '${day%/*/}/accuracy.md'"

if have gnuplot; then
    check "normal rows are plotted" is_svg "$day/accuracy.svg" 'InfoNCE cosine'
    check "equal rows are plotted" is_svg "$day/accuracy-equal.svg" 'sigmoid cosine'
    check "no plot is left half done" test -z "$(find "$results" -name '*.part')"
else
    skip "gnuplot is not installed"
fi

cp "$day/accuracy.json" "$scratch/first"
check "a second run of the day" \
    sh -c "'$bench' accuracy --smoke --threads 1 --results '$results' >'$scratch/report'"
check "it leaves the first alone" cmp "$scratch/first" "$day/accuracy.json"
check "the same errors with one thread" \
    sh -c "grep '\"loss\"' '$day/accuracy.json' >'$scratch/one' &&
           grep '\"loss\"' '${day%/}.2/accuracy.json' | cmp - '$scratch/one'"
check "the tables can be made again" "$bench" --tables "$results"
for isa in scalar avx2 avx512 neon; do
    MMK_ISA=$isa "$bench" accuracy --most 256 --losses --peers none >"$scratch/other" 2>/dev/null || continue
    grep '^|' "$scratch/other" >"$scratch/of_$isa"
    [ -f "$scratch/of_first" ] || cp "$scratch/of_$isa" "$scratch/of_first"
    check "the same errors on $isa" cmp "$scratch/of_first" "$scratch/of_$isa"
done

"$bench" accuracy --smoke >"$scratch/first_seed"
"$bench" accuracy --smoke --seed 2 >"$scratch/second_seed"
sed -n '/^## Every kernel/,$p' "$scratch/report" >"$scratch/once"
sed -n '/^## Every kernel/,$p' "$scratch/first_seed" >"$scratch/again"
check "a search depends on the seed alone" cmp "$scratch/once" "$scratch/again"
check "and on that" sh -c "! sed -n '/^## Every kernel/,\$p' '$scratch/second_seed' | cmp -s - '$scratch/once'"
check "--losses leaves kernels out" sh -c "! grep -q '^## Every kernel' '$scratch/other'"

# Sums of 256 floats in whatever order: 5e-5 would be another formula.
"$bench" accuracy --most 256 --losses --peers pytorch >"$scratch/report"
if grep -q 'on the CPU: PyTorch [0-9]' "$scratch/report"; then
    check "PyTorch computes the same losses" \
        sh -c "! grep -E 'e-[0-4]( |\$)|e[0-9]' '$scratch/report' | grep '^| [IUus]'"
else
    check "without PyTorch it says so" grep -q 'on the CPU: .*\(torch\|its script\)' "$scratch/report"
    skip "PyTorch is not installed"
fi

# no name pattern option...
no() {
    name=$1 pattern=$2
    shift 2
    check "$name" refuses "$pattern" "$bench" accuracy "$@"
}

for most in 255 0 -1 1e4 99999999 ''; do
    no "--most '$most'" "--most $most: .* from 256 " --most "$most"
done
no "an unknown peer" 'no such peer' --peers mkl
no "none with another" 'none stands alone' --peers none,pytorch
no "no threads" '--threads 0' --threads 0
no "a seed that is none" '--seed x' --seed x
no "an argument" 'takes options only' 5
no "--json on a folder" 'is a folder' --json "$scratch"
no "--results below a missing folder" 'missing/r' --results "$scratch/missing/r"
check "MMK_ISA that is none" env MMK_ISA=sse9 sh -c \
    "! '$bench' accuracy --smoke 2>'$scratch/out' && grep -q MMK_ISA '$scratch/out'"
finish

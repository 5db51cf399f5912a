#!/bin/sh
# study.sh - mmk-study: short runs, the same figures on every instruction set, and what it refuses.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
study=$BUILD/bin/mmk-study

# Of a report all but the time, which is the last line.
short() {
    "$study" "$@" >"$scratch/report"
    sed '$d' "$scratch/report"
}

short misalignment --selected 2,4-6 --perturbed 5 --steps 3 --threads 1 >"$scratch/first"
check "a setting of one's own" grep -q '^| {2,4-6} perturbed {5} ' "$scratch/first"
check "has theory for its variables" \
    grep -q 'theorem | 0\.00 | 1\.00 | 0\.00 | 1\.00 | 0\.00 | 1\.00 | 0\.00 ' "$scratch/first"
check "and says where the time went" \
    grep -q 'of training the loss took .* products of the encoders .* the rest' "$scratch/report"
for isa in scalar avx2 avx512 neon; do
    "$study" misalignment --isa $isa --selected 1 --steps 0 2>&1 | grep -q -- '--steps' || continue
    short misalignment --selected 2,4-6 --perturbed 5 --steps 3 --threads 2 --isa $isa \
        >"$scratch/other"
    check "the same on $isa with two threads" cmp "$scratch/first" "$scratch/other"
    check "which it ran on" grep -q ", $isa, 2 threads" "$scratch/report"
done
check "another seed" sh -c "'$study' misalignment --selected 2,4-6 --perturbed 5 --steps 3 \
    --seed 1 | sed '\$d' >'$scratch/other'; ! cmp -s '$scratch/first' '$scratch/other'"
"$study" misalignment --selected 1-4 --dependent --steps 2 >"$scratch/report"
check "dependent variables have a closed form" grep -q 'closed form | 1\.00 | 1\.00 | 1\.00 | 1\.00 | 0\.' "$scratch/report"

"$study" misalignment --selected 1-4 --loss alignment --steps 2 >"$scratch/other"
check "alignment" grep -q '^{1-4}: loss ' "$scratch/other"
check "is another loss" test "$(grep '^{1-4}: loss ' "$scratch/other")" != \
    "$("$study" misalignment --selected 1-4 --steps 2 | grep '^{1-4}: loss ')"

short multiplicity --steps 1 --threads 1 --svg "$scratch/many.svg" >"$scratch/first"
check "many-to-many" grep -q '^| InfoNCE, 25 % annotated | image to caption ' "$scratch/first"
check "what one-to-one labels cost" grep -q '^|  4096 | ' "$scratch/first"
check "and is judged" grep -q '^| caption to image: mAP@R rises by .* FAIL' "$scratch/first"
# Scalar takes six times as long, and has been compared above.
other=scalar
[ "$(uname -m)" = x86_64 ] && "$study" multiplicity --isa avx2 --steps 0 2>&1 | grep -q -- '--steps' && other=avx2
short multiplicity --steps 1 --threads 2 --isa $other --svg "$scratch/many.svg" >"$scratch/other"
check "the same on $other with two threads" cmp "$scratch/first" "$scratch/other"
if [ -r "${MMK_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}/train-labels-idx1-ubyte.gz" ]; then
    check "of Fashion-MNIST too" grep -q '^## Fashion-MNIST' "$scratch/first"
else
    skip "Fashion-MNIST is not installed"
fi
MMK_FASHION_MNIST=$scratch "$study" multiplicity --steps 1 --svg "$scratch/many.svg" >"$scratch/other"
check "without Fashion-MNIST, which is said" grep -q '^left out: Fashion-MNIST: ' "$scratch/other"

# After two steps nothing is learned: the targets are missed, and the exit status says so.
"$study" misalignment --selected 1-5 --steps 2 --svg "$scratch/one.svg" >"$scratch/report"
check "missed targets are exit status 1" test $? -eq 1
check "and named" grep -q '{1-5}: least R^2 of a kept variable .*>= 0.90 .* FAIL' "$scratch/report"
if have gnuplot; then
    check "the figure" grep -q '</svg>' "$scratch/one.svg"
else
    skip "gnuplot is not installed"
fi
check "nothing else is left" test "$(ls "$scratch" | grep -c part)" = 0

# no name pattern option...
no() {
    name=$1 pattern=$2
    shift 2
    check "$name" refuses "$pattern" "$study" "$@"
}

no "no study" 'name one study'
no "two studies" 'name one study' misalignment multiplicity
no "an unknown study" 'plumbing: there is no such study' plumbing
for set in 0 11 1-11 5-3 1- x 1,,2 1.5 -1 ''; do
    no "--selected '$set'" "--selected=* *$set" misalignment "--selected=$set"
done
no "perturbed beyond the variables" '--perturbed 12' misalignment --perturbed 12
no "perturbed outside what is selected" 'omitted cannot be perturbed' \
    misalignment --selected 1-5 --perturbed 5,6
no "all perturbed" 'nothing left to learn' misalignment --selected 1-2 --perturbed 1-2
no "no steps" '--steps 0' misalignment --steps 0
no "steps that are no number" '--steps 1e3' misalignment --steps 1e3
no "a seed that is none" '--seed -1' misalignment --seed=-1
no "no threads" '--threads 0' misalignment --threads 0
no "an unknown instruction set" '--isa sse9' misalignment --isa sse9
no "options of the other study" 'belong to misalignment' multiplicity --selected 1-3
no "an unknown loss" '--loss hinge' misalignment --loss hinge
no "a figure into a missing folder" 'missing/a.svg' misalignment --svg "$scratch/missing/a.svg"
check "MMK_ISA that is none" \
    sh -c "MMK_ISA=sse9 '$study' misalignment --steps 1 >'$scratch/out' 2>&1; test \$? -eq 2 && grep -q MMK_ISA '$scratch/out'"
finish

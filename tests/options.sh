#!/bin/sh
# options.sh - what the tools refuse they refuse at once, in one sentence, with exit status 2.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
bench=$BUILD/bin/mmk-bench check=$BUILD/bin/mmk-check

mkdir "$scratch/folder"
: >"$scratch/file"
missing=$scratch/missing/file
check "mmk-bench --json into a missing folder" refuses "$missing" "$bench" --json "$missing"
check "mmk-bench --json on a folder" refuses 'is a folder' "$bench" --json "$scratch/folder"
check "mmk-bench --results below a missing folder" refuses "$missing" "$bench" --results "$missing"
check "mmk-bench --results on a file" refuses "$scratch/file" "$bench" --results "$scratch/file"
check "mmk-check --junit into a missing folder" refuses "$missing" "$check" --junit "$missing"
for option in require kernel isa fill shape threads seed json junit library; do
    check "mmk-check --$option of nothing" refuses "--$option is empty" "$check" "--$option" ''
done
for option in kernel isa shape peers threads seconds json results data; do
    check "mmk-bench --$option of nothing" refuses "--$option is empty" "$bench" "--$option" ''
done
check "mmk-bench --curves of nothing" refuses "--curves is empty" "$bench" --curves=
check "mmk-check --kernel of commas" refuses "--kernel takes a name" "$check" --kernel ,
check "mmk-check --list with a report" refuses '--list checks nothing' "$check" --list --json "$scratch/list.json"
check "mmk-check --fingerprint with a requirement" \
    refuses '--fingerprint checks nothing' "$check" --fingerprint --require scalar
check "mmk-check with one file for two reports" \
    refuses 'both name .*/one; give' "$check" --json "$scratch/one" --junit "$scratch/one"
check "mmk-check --seed with a blank and a sign" refuses 'takes a number' "$check" --seed ' -1'
check "mmk-check --junit on a folder" refuses "$scratch/folder" "$check" --junit "$scratch/folder"
check "mmk-bench --shape with an unknown word" \
    refuses 'that is no shape' "$bench" --shape 64x64x32:slow
check "mmk-bench --shape with a size of 0" \
    refuses 'nothing for dot_matrix to do' "$bench" --kernel dot_matrix --shape 0x64x32
check "mmk-bench --shape beyond what the function takes" \
    refuses 'takes rows of at most 131071; give' "$bench" --kernel dot_pair_i8 --shape 131072
check "mmk-bench --shape that no memory is there for" \
    refuses 'would need about .* GB .* smaller --shape' "$bench" --kernel infonce --shape 9999999x9999999x512
check "mmk-bench --shape with a word that does not fit" \
    refuses 'does not fit' "$bench" --kernel infonce_forward --shape 64x64x32:stored
check "mmk-bench --peers with an unknown name" refuses 'no such peer' "$bench" --peers onednn,mkl
check "mmk-bench --peers none with another" refuses 'none stands alone' "$bench" --peers none,openblas
check "mmk-bench compare with a single run" refuses 'two saved runs' "$bench" compare "$scratch/file"
check "mmk-bench compare with an unknown kernel" \
    refuses 'no such kernel' "$bench" compare --kernel tpok "$scratch/file" "$scratch/file"
check "mmk-bench --precision 0" refuses 'no number above 0' "$bench" --precision 0
check "mmk-bench --precision with a percent sign" refuses 'precision 1%' "$bench" --precision 1%
check "mmk-bench --launch by hand" refuses "child's side" "$bench" --launch
check "mmk-bench selftest with few runs" refuses 'from 4 to 1000' "$bench" selftest --runs 3
check "mmk-bench selftest with a kernel alone" refuses 'go together' "$bench" selftest --kernel exp
check "mmk-bench selftest --results on a file" \
    refuses "$scratch/file" "$bench" selftest --results "$scratch/file"
check "nothing was left behind" test "$(ls "$scratch")" = "$(printf 'check.log\nfile\nfolder\nout')"

# What a run leaves out it tells, and of what it did not come to not more than that.
"$bench" --seconds 0.001 --isa scalar --peers none --kernel topk,cosine_matrix --shape 64x4 \
    >"$scratch/report"
check "a --shape that one of two kernels has" \
    grep -q '^missing: cosine_matrix: no --shape fits it; its sizes are mnd$' "$scratch/report"
check "no time was left" sh -c "
    grep -q '^topk  64 k=4 .* 256 B, 0 rounds$' '$scratch/report' &&
    grep -q '  scalar *not timed: none of this run.s --seconds was left' '$scratch/report' &&
    grep -q ' 0 timed, [0-9] not timed (for [0-9] no time was left), 0 void,' '$scratch/report'"

# gate_refuses pattern command...: status 3, which is no verdict, and a sentence that matches.
gate_refuses() {
    pattern=$1
    shift
    timeout 5 "$@" >"$scratch/out" 2>&1
    status=$?
    cat "$scratch/out"
    [ "$status" -eq 3 ] && grep -q "^gate: .*$pattern" "$scratch/out" &&
        [ "$(tail -n 1 "$scratch/out")" = 'gate: exit status 3: could not be compared' ]
}

mkdir "$scratch/empty"
check ".ci/gate without a ref" gate_refuses 'no git ref' .ci/gate
check ".ci/gate with an option for a ref" gate_refuses 'no git ref' .ci/gate --json "$scratch/gate"
check ".ci/gate without git" gate_refuses 'there is no git' \
    env PATH="$scratch/empty" "$(command -v bash)" .ci/gate HEAD
if have git; then
    check ".ci/gate with no such ref" gate_refuses 'no-such-ref: git finds no' .ci/gate no-such-ref
fi
check "make gate without a ref" sh -c "! make -s gate >'$scratch/out' 2>&1 &&
    grep -q 'gate: no git ref' '$scratch/out'"

version=$(awk '/define MMK_VERSION_(MAJOR|MINOR|PATCH)/ { v = v "." $3 } END { print substr(v, 2) }' \
    kernels/mmk.h)
numerics=$(sed -n '/^int mmk_numerics_version/,/^}/s/.*return \([0-9]*\);/\1/p' kernels/call/status.c)
check "mmk-bench retrieve --version" \
    test "$("$bench" retrieve --version)" = "mmk-bench $version, numerics $numerics"
for tool in "$bench" "$check" "$BUILD/bin/mmk-study"; do
    check "$(basename "$tool") --version" \
        test "$("$tool" --version)" = "$(basename "$tool") $version, numerics $numerics"
done
# What the parts of a run check is what the whole checks, and no family that has a kernel's name.
parts_add_up() {
    whole=$("$check" --quick --quiet --isa scalar --fill normal --shape 5 | tail -n 1)
    sum=0
    for part in 1 2 3 4; do
        line=$("$check" --quick --quiet --isa scalar --fill normal --shape 5 --part $part/4 | tail -n 1)
        sum=$((sum + ${line%% *}))
    done
    [ "$sum" -gt 100 ] && [ "${whole%% *}" -eq "$sum" ]
}
check "the parts of mmk-check are the whole" parts_add_up
check "a part that is none" refuses "from 1 to 4" "$check" --part 5/4
check "no part" refuses "e.g. 1/4" "$check" --part 3
check "a part of named kernels" refuses "give one of them" "$check" --part 1/2 --kernel exp
check "two parts" refuses "given once" "$check" --part 1/2 --part 2/2
check "results that nobody judges as JUnit" refuses "not proved" "$check" --no-oracle --json "$scratch/x" --junit "$scratch/y"
check "no oracle, and nothing instead" refuses "proves nothing by itself" "$check" --no-oracle
finish

#!/bin/sh
# retrieve.sh - mmk-bench retrieve: metrics known by hand, every kind of file, and what it refuses.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
bench=$BUILD/bin/mmk-bench

# npy dtype shape: writes a .npy header; the data follows.
npy() {
    dict=$(printf "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" "$1" "$2")
    printf '\223NUMPY\001\000\166\000%-117s\n' "$dict"
}

# fbin rows dimension: the 8 bytes before the data, each number below 2^24.
fbin() {
    for number in "$1" "$2"; do
        printf "$(printf '\\%03o\\%03o\\%03o\\000' $((number % 256)) $((number / 256 % 256)) \
            $((number / 65536)))"
    done
}

# floats n...: little-endian f32 of -1, 0 and 1.
floats() {
    for number; do
        case $number in
        0) printf '\000\000\000\000' ;;
        1) printf '\000\000\200\077' ;;
        -1) printf '\000\000\200\277' ;;
        esac
    done
}

# row name metric...: whether the last report has this row in its table.
row() {
    sed 's/ *| */|/g' "$scratch/report" | grep -qx "$(printf '|%s' "$@")|" ||
        { cat "$scratch/report" && false; }
}

# By cosine the queries find  0 2 1 3,  1 2 0 3,  2 0 1 3;  the gallery finds  0 2 1,  1 2 0,  2 0 1,
# 1 2 0 (equals by index).
queries='1 0  0 1  1 1' gallery='1 0  0 1  1 1  -1 0'
q=$scratch/q.npy g=$scratch/g.npy r=$scratch/r.csr
(npy '<f4' '(3, 2)' && floats $queries) >"$q"
(npy '<f4' '(4, 2)' && floats $gallery) >"$g"
(fbin 3 2 && floats $queries) >"$scratch/q.fbin"
(fbin 4 2 && floats $gallery) >"$scratch/g.fbin"
printf '2\n\n3, 0\n' >"$r"

retrieve() {
    "$bench" retrieve "$@" >"$scratch/report"
}

check "lists" retrieve --queries "$q" --gallery "$g" --relevant "$r" --k 1,2 \
    --save-rankings "$scratch/rankings"
check "their metrics" row queries 2 1 0.0000 1.0000 0.2500 0.1250
printf '0 2\n1 2\n2 0\n' >"$scratch/right"
check "the rankings that were saved" cmp "$scratch/right" "$scratch/rankings"
check "rankings from a file" retrieve --rankings "$scratch/rankings" --relevant "$r" --k 2,1
check "their metrics" row rankings 2 1 1.0000 0.0000 0.2500 0.1250
check "the time, beside the peak, and the memory" \
    sh -c "'$bench' retrieve --queries '$q' --gallery '$g' --relevant '$r' >'$scratch/report' &&
           grep -q '^search .*FLOP/s, .* of the FMA peak.* 1 thread, 4 deep' '$scratch/report' &&
           grep -q '^memory .* resident .* mapped files, not copied$' '$scratch/report'"

check "both directions" retrieve --queries "$q" --gallery "$g" --relevant "$r" --k 1,2 --both \
    --save-rankings "$scratch/rankings"
check "forward" row queries 2 1 0.0000 1.0000 0.2500 0.1250
check "and back" row gallery 3 1 0.0000 1.0000 0.0000 0.0000
printf '0 2\n1 2\n2 0\n1 2\n' >"$scratch/right"
check "the other rankings are saved" cmp "$scratch/right" "$scratch/rankings.gallery"

check ".fbin" retrieve --queries "$scratch/q.fbin" --gallery "$scratch/g.fbin" --relevant "$r" \
    --k 1,2 --threads 2 --isa scalar
check "its metrics" row queries 2 1 0.0000 1.0000 0.2500 0.1250
check "by the dot product" retrieve --queries "$q" --gallery "$g" --relevant "$r" --k 1 \
    --similarity dot --depth 0
check "Recall alone" row queries 2 1 0.0000
check "and why" grep -q '^no R-Precision .*, 2, and these go to 1; .* --depth 2$' "$scratch/report"

(npy '|i1' '(7,)' && printf '\000\001\000\001\001\000\000') >"$scratch/labels.npy"
(npy '<i2' '(3,)' && printf '\000\000\001\000\000\000') >"$scratch/ql.npy"
(npy '|u1' '(4,)' && printf '\001\001\000\000') >"$scratch/gl.npy"
for labels in "$scratch/labels.npy" "$scratch/ql.npy,$scratch/gl.npy"; do
    check "labels" retrieve --queries "$q" --gallery "$g" --relevant "$labels" --k 1 --both
    check "their metrics" row queries 3 0 0.6667 0.5000 0.4167
    check "and back" row gallery 4 0 0.5000 0.6250 0.5625
    check "labels of rankings" retrieve --rankings "$scratch/rankings" --relevant "$labels" --k 1
done

# A query of NaN and one of Inf, which the order of equal scores would give the first rows.
nan='\000\000\300\177' inf='\000\000\200\177'
(npy '<f4' '(4, 2)' && floats 1 0 && printf "$nan$nan" && floats 0 1 && printf "$inf" && floats 0) \
    >"$scratch/nan.npy"
(npy '|i1' '(8,)' && printf '\000\000\000\000\000\000\000\000') >"$scratch/equal.npy"
for similarity in cosine dot neg_sq_l2; do
    check "queries that are not finite, $similarity" retrieve --queries "$scratch/nan.npy" \
        --gallery "$g" --relevant "$scratch/equal.npy" --k 1,4 --similarity $similarity \
        --save-rankings "$scratch/found"
    check "are misses" row queries 4 0 0.5000 0.5000 0.5000 0.5000
    check "and named" grep -q '^2 of the queries hold NaN or Inf, .*: number 1, 3$' "$scratch/report"
    check "find nothing" test "$(grep -nx '' "$scratch/found" | tr -d '\n')" = 2:4:
    check "their rankings" retrieve --rankings "$scratch/found" --relevant "$scratch/equal.npy" \
        --k 1,4
    check "are misses, too" row rankings 4 0 0.5000 0.5000 0.5000 0.5000
    check "and named" grep -q '^2 of the rankings are empty, .*: number 1, 3$' "$scratch/report"
done
check "a gallery that is not finite searches" retrieve --queries "$g" --gallery "$scratch/nan.npy" \
    --relevant "$scratch/equal.npy" --k 1 --both --depth 0
check "and misses" row gallery 4 0 0.5000
check "as it says" grep -q '^2 of the gallery hold NaN or Inf, .*: number 1, 3$' "$scratch/report"

# 400,000 x 128 floats are 205 MB, of which nothing is on the disk, and nothing is to be copied.
(fbin 400000 128) >"$scratch/large.fbin"
truncate -s $((8 + 400000 * 128 * 4)) "$scratch/large.fbin"
(fbin 1 128) >"$scratch/one.fbin"
truncate -s $((8 + 128 * 4)) "$scratch/one.fbin"
echo 7 >"$scratch/one.csr"
check "a large gallery" retrieve --queries "$scratch/one.fbin" --gallery "$scratch/large.fbin" \
    --relevant "$scratch/one.csr"
check "of equals the first are found" row queries 1 0 0.0000 0.0000 1.0000 0.0000 0.0000
resident=$(sed -n 's/^memory *\([0-9]*\) MB resident.*/\1/p' "$scratch/report")
check "is not copied ($resident MB)" test "${resident:-999}" -lt 300

if [ -r "${MMK_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}/train-labels-idx1-ubyte.gz" ]; then
    check "Fashion-MNIST" retrieve --threads "$(nproc)"
    check "is as it should be" \
        sh -c "grep -q '^| test images .* 10000 .* 0 .* 0\.8576 .* 0\.9528 .* 0\.9719 |' '$scratch/report' &&
               test \$(grep -c '^| .* 1000 | ' '$scratch/report') = 10 &&
               grep -q '^Recall@1, 0.8576, .*sanity figure' '$scratch/report'"
else
    skip "Fashion-MNIST is not installed"
fi

# ---- What is refused ----

# no name pattern option...: as `refuses`, of a run that would be right without the spoiled option,
# which replaces the one given before.
no() {
    name=$1 pattern=$2
    shift 2
    check "$name" refuses "$pattern" "$bench" retrieve --queries "$q" --gallery "$g" \
        --relevant "$r" "$@"
}

# csr text: a file of lists.
csr() {
    printf "$1" >"$scratch/bad.csr"
    echo "$scratch/bad.csr"
}

: >"$scratch/empty"
(npy '<f4' '(4, 3)' && floats 1 1 1 1 1 1 1 1 1 1 1 1) >"$scratch/wide.npy"
(npy '<f4' '(4, 2)' && floats 1 1 1) >"$scratch/short.npy"
(npy '|i1' '(6,)' && printf '\000\001\000\001\001\000') >"$scratch/six.npy"
(npy '|i1' '(3,)' && printf '\000\001\000') >"$scratch/three.npy"
# Sizes as large ones have them, a byte too few and one too many; nothing of it is on the disk.
(fbin 10000000 2) >"$scratch/huge.fbin"
truncate -s $((8 + 10000000 * 2 * 4 - 1)) "$scratch/huge.fbin"
(npy '<f4' '(10000000, 128)') >"$scratch/huge.npy"
truncate -s $((128 + 10000000 * 128 * 4 + 1)) "$scratch/huge.npy"

no "a missing file" 'none.npy: cannot be opened' --queries "$scratch/none.npy"
no "a folder" 'no regular file' --gallery "$scratch"
no "an empty file" 'is empty' --relevant "$scratch/empty"
no "a file that is too short" 'truncated' --gallery "$scratch/short.npy"
no "a .fbin that is too short" '80000008 bytes' --gallery "$scratch/huge.fbin"
no "a .npy that is too long" '1 bytes follow' --gallery "$scratch/huge.npy"
no "other dimensions" 'rows of 2, .* of 3' --gallery "$scratch/wide.npy"
no "labels as vectors" "'|i1'" --queries "$scratch/labels.npy"
no "vectors as labels" "'<f4'" --relevant "$q"
no "too few labels" 'has 6 labels' --relevant "$scratch/six.npy"
no "too few labels for the gallery" 'has 6 labels' --relevant "$scratch/ql.npy,$scratch/three.npy"
no "too many labels for the queries" 'has 4 labels' --relevant "$scratch/gl.npy,$scratch/gl.npy"
no "too few lists" 'has 2 lines' --relevant "$(csr '1\n2\n')"
no "an index beyond the gallery" 'line 2: names gallery row 4' --relevant "$(csr '1\n4\n2\n')"
no "an index that is none" 'line 3: holds something' --relevant "$(csr '1\n4\nx\n')"
no "nothing relevant" 'nothing is relevant' --relevant "$(csr '\n\n\n')"
no "k of 0" '--k 0' --k 0
no "k that is none" '--k 5x' --k 1,5x
no "too many values of k" '--k: more than 10' --k 1,2,3,4,5,6,7,8,9,10,11
no "an unknown similarity" 'no such similarity' --similarity euclid
no "an unknown instruction set" '--isa sse9' --isa sse9
no "no threads" '--threads 0' --threads 0
no "a negative depth" '--depth -1' --depth -1
no "rankings that cannot be saved" 'missing/file' --save-rankings "$scratch/missing/file"
no "rankings, and a search" 'nothing is searched' --rankings "$scratch/rankings"
no "an argument" 'takes options only' 5

check "half of what it takes" refuses 'give --gallery FILE too' "$bench" retrieve --queries "$q"
check "rankings without what is relevant" refuses 'give --relevant FILE too' \
    "$bench" retrieve --rankings "$scratch/rankings"
check "k beyond the rankings" refuses 'are 2 long' \
    "$bench" retrieve --rankings "$scratch/rankings" --relevant "$r"
check "rankings of two lengths" refuses 'line 2: has 1 indices' \
    "$bench" retrieve --rankings "$(csr '1 2\n3\n')" --relevant "$r" --k 1
check "rankings beyond the labels" refuses 'line 3: names gallery row 4' \
    "$bench" retrieve --rankings "$(csr '1\n3\n4\n')" --relevant "$scratch/labels.npy" --k 1
check "MMK_ISA that is none" env MMK_ISA=sse9 sh -c "! '$bench' retrieve 2>'$scratch/out' && grep -q MMK_ISA=sse9 '$scratch/out'"
finish

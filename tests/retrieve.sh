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

# u32 n...: little-endian, each number below 2^24. Before the data of a .fbin stand two.
u32() {
    for number; do
        printf "$(printf '\\%03o\\%03o\\%03o\\000' $((number % 256)) $((number / 256 % 256)) \
            $((number / 65536)))"
    done
}

# elements type n...: -1, 0, 1, 2 and 3, little-endian; the last two bytes of floats, and before them
# zeros.
elements() {
    type=$1
    shift
    for number; do
        case $type in
        f64) printf '\000\000\000\000\000\000' ;;
        f32) printf '\000\000' ;;
        esac
        case $type:$number in
        byte:-1) printf '\377' ;;
        byte:*) printf "\\00$number" ;;
        *:0) printf '\000\000' ;;
        f16:-1) printf '\000\274' ;;
        f16:1) printf '\000\074' ;;
        f16:2) printf '\000\100' ;;
        f16:3) printf '\000\102' ;;
        f64:-1) printf '\360\277' ;;
        f64:1) printf '\360\077' ;;
        f64:3) printf '\010\100' ;;
        *:-1) printf '\200\277' ;;
        *:1) printf '\200\077' ;;
        *:2) printf '\000\100' ;;
        *:3) printf '\100\100' ;;
        esac
    done
}

floats() {
    elements f32 "$@"
}

# write_vectors format rows n...: rows of three.
write_vectors() {
    format=$1 rows=$2
    shift 2
    case $format in
    f64.npy) npy '<f8' "($rows, 3)" && elements f64 "$@" ;;
    f32.npy) npy '<f4' "($rows, 3)" && elements f32 "$@" ;;
    f16.npy) npy '<f2' "($rows, 3)" && elements f16 "$@" ;;
    bf16.npy) npy '<u2' "($rows, 3)" && elements bf16 "$@" ;;
    i8.npy) npy '|i1' "($rows, 3)" && elements byte "$@" ;;
    u8.npy) npy '|u1' "($rows, 3)" && elements byte "$@" ;;
    fbin) u32 "$rows" 3 && elements f32 "$@" ;;
    f16bin) u32 "$rows" 3 && elements f16 "$@" ;;
    i8bin | u8bin) u32 "$rows" 3 && elements byte "$@" ;;
    fvecs | bvecs)
        while [ $# -gt 0 ]; do
            u32 3
            case $format in
            fvecs) elements f32 "$1" "$2" "$3" ;;
            bvecs) elements byte "$1" "$2" "$3" ;;
            esac
            shift 3
        done
        ;;
    esac
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
(u32 3 2 && floats $queries) >"$scratch/q.fbin"
(u32 4 2 && floats $gallery) >"$scratch/g.fbin"
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

# ---- Each format once ----

# same_in format...: queries and gallery in each format, with the same results as in the first.
same_in() {
    first=$1
    for format; do
        write_vectors "$format" 3 $few >"$scratch/few.$format"
        write_vectors "$format" 5 $many >"$scratch/many.$format"
        check "$format" retrieve --queries "$scratch/few.$format" --bf16 --both --k 1,2,3 \
            --gallery "$scratch/many.$format" --relevant "$scratch/some.csr" \
            --save-rankings "$scratch/$format.rankings"
        grep '^|' "$scratch/report" >"$scratch/$format.metrics"
        for what in metrics rankings rankings.gallery; do
            check "$format: the same $what" cmp "$scratch/$first.$what" "$scratch/$format.$what"
        done
    done
}

few='1 0 2  0 3 1  2 2 -1' many='1 0 3  -1 2 0  2 1 1  0 3 2  3 -1 0'
printf '2 0\n1\n4 2 3\n' >"$scratch/some.csr"
same_in fbin f64.npy f32.npy f16.npy bf16.npy i8.npy f16bin i8bin fvecs
check "which are those of the formula" row queries 3 0 0.6667 1.0000 1.0000 0.6667 0.6667
check "and back" row gallery 5 0 0.6000 0.8000 1.0000 0.6000 0.6000
few='1 0 2  0 3 1  2 2 3' many='1 0 3  3 2 0  2 1 1  0 3 2  3 1 0'
same_in fbin u8.npy u8bin bvecs i8.npy
check "what is converted is said" grep -q '^memory .* of the vectors 96.0 B in f32 made from the files$' \
    "$scratch/report"
check "and of which type it is" grep -q 'few.i8.npy (3 x 3, i8) in .*many.i8.npy (5 x 3, i8)' \
    "$scratch/report"

few='1 0 2  0 3 1  2 2 -1'
write_vectors fbin 3 $few >"$scratch/few.fbin"
write_vectors bf16.npy 3 $few >"$scratch/few.npy"
(u32 2 2 0 && u32 1 1 && u32 3 4 2 3) >"$scratch/some.ivecs"
(u32 3 2 2 0 1 1 4 2) >"$scratch/pairs.ibin"
(cat "$scratch/pairs.ibin" && floats 0 1 2 3 0 1) >"$scratch/distances.ibin"
printf '2 0\n1 1\n4 2\n' >"$scratch/pairs.csr"
# same_lists lists...: what is relevant, in each file, with the same metrics as in the first.
same_lists() {
    first=$1
    for lists; do
        check "$lists" retrieve --queries "$scratch/few.fbin" --gallery "$scratch/many.fbin" \
            --relevant "$scratch/$lists" --both --k 1,3
        grep '^|' "$scratch/report" >"$scratch/$lists.metrics"
        check "$lists: the same metrics" cmp "$scratch/$first.metrics" "$scratch/$lists.metrics"
        check "$lists: of rankings" retrieve --rankings "$scratch/pairs.ibin" --k 1,2 \
            --relevant "$scratch/$lists"
        grep '^|' "$scratch/report" >"$scratch/$lists.of_rankings"
        check "$lists: the same metrics of rankings" cmp "$scratch/$first.of_rankings" \
            "$scratch/$lists.of_rankings"
    done
}
same_lists some.csr some.ivecs
same_lists pairs.csr pairs.ibin distances.ibin
check "rankings as .ibin" row rankings 3 0 1.0000 1.0000 1.0000 1.0000

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
(u32 2 && floats 1 0 && u32 2 && printf "$nan$nan" && u32 2 && floats 0 1 && u32 2 &&
    printf "$inf" && floats 0) >"$scratch/nan.fvecs"
check "and those of a .fvecs" retrieve --queries "$scratch/nan.fvecs" --gallery "$g" \
    --relevant "$scratch/equal.npy" --k 1,4
check "are named, too" grep -q '^2 of the queries hold NaN or Inf, .*: number 1, 3$' "$scratch/report"
check "a gallery that is not finite searches" retrieve --queries "$g" --gallery "$scratch/nan.npy" \
    --relevant "$scratch/equal.npy" --k 1 --both --depth 0
check "and misses" row gallery 4 0 0.5000
check "as it says" grep -q '^2 of the gallery hold NaN or Inf, .*: number 1, 3$' "$scratch/report"

# 400,000 x 128 floats are 205 MB, of which nothing is on the disk, and nothing is to be copied.
(u32 400000 128) >"$scratch/large.fbin"
truncate -s $((8 + 400000 * 128 * 4)) "$scratch/large.fbin"
(u32 1 128) >"$scratch/one.fbin"
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
(u32 10000000 2) >"$scratch/huge.fbin"
truncate -s $((8 + 10000000 * 2 * 4 - 1)) "$scratch/huge.fbin"
(npy '<f4' '(10000000, 128)') >"$scratch/huge.npy"
truncate -s $((128 + 10000000 * 128 * 4 + 1)) "$scratch/huge.npy"

(u32 8388608 && floats 1 1) >"$scratch/bytes.fvecs"
(u32 3 && floats 1 1 1 && u32 2 && floats 1 1) >"$scratch/two.fvecs"
(u32 2 1 0 1) >"$scratch/two.ibin"
printf '\000\050\153\356\350\003\000\000' >"$scratch/beyond.u8bin" # 4,000,000,000 x 1000
truncate -s 4000000000008 "$scratch/beyond.u8bin"

no "a missing file" 'none.npy: cannot be opened' --queries "$scratch/none.npy"
no "a folder" 'no regular file' --gallery "$scratch"
no "an empty file" 'is empty' --relevant "$scratch/empty"
no "a file that is too short" 'truncated' --gallery "$scratch/short.npy"
no "a .fbin that is too short" '80000008 bytes' --gallery "$scratch/huge.fbin"
no "a .npy that is too long" '1 bytes follow' --gallery "$scratch/huge.npy"
no "other dimensions" 'rows of 2, .* of 3' --gallery "$scratch/wide.npy"
(npy '<i4' '(3, 2)' && floats $queries) >"$scratch/i4.npy"
no "integers as vectors" "'<i4'" --queries "$scratch/i4.npy"
no "bf16 that is not said to be" 'with --bf16' --queries "$scratch/few.npy"
no "a .fvecs that is none" 'row 0, at byte 0, says that it has 8388608' --gallery "$scratch/bytes.fvecs"
no "a .fvecs of two dimensions" 'row 1, at byte 16, has a dimension of 2' --gallery "$scratch/two.fvecs"
no "a .u8bin beyond the memory" 'would take 16000 GB of memory' --gallery "$scratch/beyond.u8bin"
no "an unknown format" 'its name end as other formats do' --gallery "$scratch/some.csr"
no "an .ivecs index beyond the gallery" 'some.ivecs, row 2: names gallery row 4' \
    --relevant "$scratch/some.ivecs"
no "an .ibin with too few rows" 'has 2 rows, and there are 3 queries; write a row for each' \
    --relevant "$scratch/two.ibin"
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

check "--bf16 of nothing" refuses 'give --queries FILE too' "$bench" retrieve --bf16
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

#!/bin/sh
# files.sh - files that the tools read and write: what they refuse, and that nothing old is lost.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
bench=$BUILD/bin/mmk-bench check=$BUILD/bin/mmk-check study=$BUILD/bin/mmk-study
quick_check="$check --quick --quiet --kernel dot_pair"
quick_study="$study misalignment --selected 1-5 --steps 2 --svg"

# ---- Targets that are no regular files ----

mkfifo "$scratch/fifo"
echo old >"$scratch/pointed"
ln -s pointed "$scratch/link"
ln -s nowhere "$scratch/dangling"
for target in /dev/null /dev/full "$scratch/fifo" "$scratch/link" "$scratch/dangling"; do
    kind=$(stat -c %F-%t-%T-%i "$target")
    for command in "$bench --smoke --json" "$bench retrieve --save-rankings" \
        "$check --quick --junit" "$study misalignment --svg"; do
        check "${command##*/} $target" refuses "$target is a .*; give" $command "$target"
    done
    check "$target is as before" test "$(stat -c %F-%t-%T-%i "$target")" = "$kind"
done
check "nor what a link points to" grep -qx old "$scratch/pointed"
mkdir "$scratch/linked"
ln -s /dev/full "$scratch/linked/TABLES.md"
check "TABLES.md that is a link" refuses 'symbolic link' \
    "$bench" --smoke --results "$scratch/linked"

# ---- Standard output ----

# lost command...: status 2 and one sentence, where standard output is full, and where it is closed.
lost() {
    timeout 60 "$@" >/dev/full 2>"$scratch/full"
    full=$?
    timeout 60 "$@" >&- 2>"$scratch/closed"
    closed=$?
    cat "$scratch/full" "$scratch/closed"
    [ $full -eq 2 ] && [ $closed -eq 2 ] &&
        grep -q ': standard output cannot be written (' "$scratch/full" &&
        grep -q ': standard output cannot be written (' "$scratch/closed"
}

for tool in "$bench" "$check" "$study" "$bench retrieve"; do
    check "${tool##*/} --help without output" lost $tool --help
    check "${tool##*/} --usage without output" lost $tool --usage
    check "${tool##*/} --version without output" lost $tool --version
done
check "mmk-bench --list without output" lost "$bench" --list
check "mmk-check --list without output" lost "$check" --list
for mode in --fingerprint --tap --quiet; do
    check "mmk-check $mode without output" lost "$check" --quick --kernel dot_pair $mode
done
check "mmk-bench without output" lost "$bench" --smoke --kernel dot_pair --isa scalar
check "mmk-bench --csv without output" lost "$bench" --smoke --kernel dot_pair --isa scalar --csv
check "mmk-bench --once without output" lost "$bench" --once topk --isa scalar --shape 64x4
check "mmk-study without output" lost $quick_study "$scratch/lost.svg"

# ---- Input that is no regular file, or wrong ----

(printf '\223NUMPY\001\000\166\000%-117s\n' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }" &&
    printf '\000\000\200\077') >"$scratch/one.npy"
echo 0 >"$scratch/one.csr"
for other in "$scratch/fifo" /dev/zero; do
    check "--data $other" refuses 'no regular file' "$bench" --data "$other"
    check "--pairs $other" refuses 'no regular file' \
        "$bench" --data "$scratch/one.npy" --pairs "$other"
    check "--queries $other" refuses 'no regular file' "$bench" retrieve --queries "$other" \
        --gallery "$scratch/one.npy" --relevant "$scratch/one.csr"
    check "--relevant $other" refuses 'no regular file' "$bench" retrieve --relevant "$other" \
        --gallery "$scratch/one.npy" --queries "$scratch/one.npy"
    check "--rankings $other" refuses 'no regular file' "$bench" retrieve --rankings "$other" \
        --relevant "$scratch/one.csr"
done
mkdir -p "$scratch/strange/cpu/2026-01-01"
mkfifo "$scratch/strange/cpu/2026-01-01/run.json"
check "a run.json that is a FIFO" refuses 'no regular file' "$bench" --tables "$scratch/strange"

# idx images height width byte...: an IDX file of images.
idx() {
    printf '\000\000\010\003'
    printf "$(printf '\\000\\000\\000\\%03o' "$1" "$2" "$3")"
    shift 3
    printf "$(printf '\\%03o' "$@")"
}

fashion=$scratch/fashion images=$scratch/fashion/t10k-images-idx3-ubyte.gz
mkdir "$fashion"
export MMK_FASHION_MNIST="$fashion"
# idx_is name pattern: what is said of the images that stand there now.
idx_is() {
    check "IDX: $1" refuses "$2" "$bench" retrieve
}
mkfifo "$images"
idx_is "a FIFO" 'no regular file'
rm "$images"
idx_is "none" 'is not there; `make deps`'
idx 3 1 2 1 2 3 4 5 | gzip >"$images"
idx_is "a count too great" 'head says 3 images, and there are 2'
idx 2 1 2 1 2 3 4 5 | gzip >"$images"
idx_is "more than there should be" 'goes on after the 2 images'
idx 2 1 2 1 2 3 4 | gzip >"$scratch/whole.gz"
head -c -9 "$scratch/whole.gz" >"$images"
idx_is "cut off" 'it is truncated'
(head -c -8 "$scratch/whole.gz" && printf '12345678') >"$images"
idx_is "another checksum" 'it is damaged'
printf '\000\000\010\003\377\377\377\377\000\000\000\034\000\000\000\034' | gzip >"$images"
idx_is "a count beyond all memory" 'head says 4294967295 images, which a file of'
idx 2 0 2 1 | gzip >"$images"
idx_is "images of no pixels" '2 images of 0 x 2 pixels'
echo text | gzip >"$images"
idx_is "no IDX file" 'no IDX file of images'
cp "$scratch/whole.gz" "$images"
idx_is "a right one, and no labels" 't10k-labels.*is not there'
cp "$scratch/whole.gz" "$fashion/train-images-idx3-ubyte.gz"
printf '\000\000\010\001\000\000\000\003\001\001\001' | gzip >"$fashion/t10k-labels-idx1-ubyte.gz"
idx_is "more labels than images" 'head says 3 labels, and there are 2 images'
printf '\000\000\010\001\000\000\000\002\001\001\001' | gzip >"$fashion/t10k-labels-idx1-ubyte.gz"
idx_is "labels after the last" 'goes on after the 2 labels'
unset MMK_FASHION_MNIST

for k in 4294967295 99999999999999999999; do
    check "--k $k" refuses "--k $k: that is beyond 4294967294" "$bench" retrieve --k $k
done
check "--seconds beyond what it takes" refuses 'above 0 and up to 1e6' "$bench" --seconds 1e7

# ---- Disks that are full ----

# full command...: as on a disk with room for 1 KB. What gets no signal gets an error.
full() {
    said=$(trap '' XFSZ && ulimit -f 2 && exec "$@" 2>&1 >/dev/null)
    status=$?
    echo "$said"
    [ $status -eq 2 ] && echo "$said" | tail -n 1 | grep -q 'disk full'
}

run=$scratch/run.json
check "a run to work with" sh -c "'$bench' --smoke --kernel dot_pair,topk --json '$run' --seed 3"
cp "$run" "$scratch/copy"
check "--json on a full disk" full "$bench" --smoke --kernel dot_pair,topk --json "$run"
check "leaves the old file" cmp "$run" "$scratch/copy"
if have gnuplot; then
    echo 'the old picture' >"$scratch/picture.svg"
    check "mmk-study --svg on a full disk" full $quick_study "$scratch/picture.svg"
    check "leaves the old picture" grep -qx 'the old picture' "$scratch/picture.svg"
else
    skip "gnuplot is not installed"
fi
check "no .part is left" test -z "$(find "$scratch" -name '*.part')"

# ---- Saved runs side by side ----

check "compare a run with itself" sh -c "
    '$bench' compare '$run' '$run' >'$scratch/compared' &&
    grep -q 'rows in both: 0 faster, 0 slower' '$scratch/compared' &&
    grep -q 'no judge' '$scratch/compared'"
check "compare, of one kernel as Markdown" sh -c "
    '$bench' compare --kernel topk --markdown '$run' '$run' >'$scratch/compared' &&
    grep -q '^| topk ' '$scratch/compared' && ! grep -q dot_pair '$scratch/compared'"
check "compare a missing file" refuses "$scratch/none.json: cannot be opened" \
    "$bench" compare "$run" "$scratch/none.json"
echo '{"format":' >"$scratch/cut.json"
check "compare what is no JSON" refuses 'no JSON file' "$bench" compare "$scratch/cut.json" "$run"
echo '{"format":"mmk-accuracy-1"}' >"$scratch/accuracy.json"
check "compare a file of accuracy" refuses 'has the format mmk-accuracy-1, not mmk-bench-1' \
    "$bench" compare "$run" "$scratch/accuracy.json"
check "compare a folder without a run" refuses "$fashion holds no run.json" \
    "$bench" compare "$run" "$fashion"
"$bench" --smoke --kernel exp --isa scalar --json "$scratch/exp.json" >/dev/null
check "compare runs without a common row" refuses 'no row in common' \
    "$bench" compare "$run" "$run" "$scratch/exp.json"

# ---- Runs that were killed ----

# What it left is removed, and neither other names nor what is being written by a run that lives.
touch "$run.1.part" "$run.12345.part" "$run.x.part" "$run.part" "$scratch/mine.1.part" "$run.7.part"
if have flock; then
    flock "$run.7.part" sleep 60 &
    holder=$!
    while flock -n "$run.7.part" true; do sleep 0.1; done
fi
check "a run after those" sh -c "'$bench' --smoke --kernel dot_pair --isa scalar --json '$run'"
check "their .part files are gone" sh -c "! ls '$run.1.part' '$run.12345.part' 2>/dev/null"
check "other files are not" ls "$run.x.part" "$run.part" "$scratch/mine.1.part"
if have flock; then
    check "nor what is being written" test -e "$run.7.part"
    kill "$holder"
fi
rm -f "$run".*part "$scratch/mine.1.part"
cp "$scratch/copy" "$run"

# ---- Tables ----

results=$scratch/results day=$scratch/results/machine/2026-01-01
mkdir -p "$day"
cp "$run" "$day/run.json"
touch "$day/TABLES.md.99.part" "$results/percent-of-peak.svg.99.part" "$day/../.run.json.99.part"
check "--tables" "$bench" --tables "$results"
check "removes what killed runs left" test -z "$(find "$results" -name '*.part')"
cp -r "$results" "$scratch/before"

if have gnuplot; then
    check "--tables on a full disk" full "$bench" --tables "$results"
    check "leaves the old files" diff -r "$scratch/before" "$results"
fi
check "--tables where a plot cannot be placed" sh -c "
    rm -f '$results/percent-of-peak.svg' && mkdir '$results/percent-of-peak.svg' &&
    echo old >'$results/TABLES.md' && ! '$bench' --tables '$results' 2>/dev/null &&
    grep -qx old '$results/TABLES.md'"
rm -rf "$results"
cp -r "$scratch/before" "$results"

# ---- Text from a file is no command ----

# Every text field of a run becomes all that gnuplot, a shell or a table could take for more.
rm -rf "$results"
mkdir -p "$day"
evil=$(sed "s:HIT:$scratch/hit:g" <<'EOF'
'\"`touch HIT`$(touch HIT)';\nsystem(\"touch HIT\")\n!touch HIT\n%s%n @a #\\
EOF
)
# evil_file field from to: a copy with that text in all fields of the name.
evil_file() {
    sep=$(printf '\001')
    text=$(printf '%s' "$evil" | sed 's/[\\&]/\\&/g')
    sed -E "s$sep\"($1)\":\"[^\"]*\"$sep\"\\1\":\"$text\"${sep}g" "$2" >"$3"
    grep -q "touch $scratch/hit" "$3"
}
harmless() {
    "$bench" --tables "$results" && [ ! -e "$scratch/hit" ] &&
        ! grep -e '^!touch' -e '^system' "$results/TABLES.md"
}
for field in cpu slug architecture extensions hypervisor governor counters system compiler flags \
    library commit date kernel family shape data variant isa baseline state note; do
    check "a file with text in $field" evil_file "$field" "$run" "$day/run.json"
    check "text in $field runs nothing" harmless
    # Without these three no case is one that is timed and has a peak.
    case $field in variant | isa | state) ;; *)
        have gnuplot &&
            check "and is plotted" \
                sh -c "tail -n 2 '$results/percent-of-peak.svg' | grep -q '</svg>'"
        ;;
    esac
    rm -f "$results"/*.svg
done
# What is missing is a list: the text is made of a field, and that then of the list.
missing_file() {
    sed -E 's@"missing":\[[^]]*\]@"missing":""@' "$run" >"$scratch/named.json" &&
        evil_file missing "$scratch/named.json" "$scratch/evil.json" &&
        sed -E 's@"missing":(.*),$@"missing":[\1],@' "$scratch/evil.json" >"$day/run.json"
}
check "a file with text in missing" missing_file
check "text in missing runs nothing" harmless
check "and is one line" grep -q '^Missing: .*!touch.*#' "$results/TABLES.md"
rm "$day/run.json"
check "curves to work with" \
    "$bench" --curves=batch --smoke --peers none --json "$scratch/curves.json"
for field in cpu date 'variant|isa' kernel; do
    check "curves with text in $field" evil_file "$field" "$scratch/curves.json" "$day/curves.json"
    check "text in $field of curves runs nothing" harmless
    # Where all variants have one name, the one that is found may not be timed.
    have gnuplot && [ "$field" != 'variant|isa' ] &&
        check "and is plotted" sh -c "tail -n 2 '$results/infonce-time.svg' | grep -q '</svg>'"
    rm -f "$results"/*.svg
done
rm "$day/curves.json"
check "nothing is outside of the folder" test "$(find "$scratch" -name '*hit*' | wc -l)" -eq 0
if have gnuplot; then
    sed -E 's@"cpu":"[^"]*"@"cpu":"it'"'"'s 100% `A` \\"B\\" \\\\n"@' "$run" >"$day/run.json"
    check "tables of a name with quotes" "$bench" --tables "$results"
    check "the plot has it as it is" sh -c \
        "sed 's/&apos;/\\x27/g; s/&quot;/\"/g; s/&#39;/\\x27/g' '$results/percent-of-peak.svg' |
         grep -qF 'it'\\''s 100% \`A\` \"B\" \\n, 20'"
fi
finish

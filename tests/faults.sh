#!/bin/sh
# faults.sh - memory that is refused, system calls that fail and signals, in every tool and mode: what
# is written is whole or as before, nothing else is left, and the exit status is honest.
# SPDX-License-Identifier: MIT
#
# A run is made once as it is, and then again and again, each time with the nth allocation refused
# (tests/faults/faults.c) or the nth system call failing (strace): a sample of all n, the same every
# time. Modes of which a run takes seconds are tried a few times, and of those that are much like
# another none. By hand: TRIALS=1000000 tests/faults.sh MODE..., every n of modes, or of "all".
cd "$(dirname "$0")/.." && . tests/suite.inc
check=$BUILD/bin/mmk-check study=$BUILD/bin/mmk-study
: "${TRIALS:=4}"
faults=$(realpath "$BUILD")/lib/faults.so
words=$*
# Without peers: what other libraries do without memory is not ours to judge, and some abort.
bench=$scratch/mmk-bench
cp "$BUILD/bin/mmk-bench" "$bench"

if [ -n "$SAN" ] || [ ! -e "$faults" ]; then
    skip "memory that is refused: needs glibc, and a build without sanitizers"
    faults=
fi
if [ -z "$SAN" ] && have strace && strace -qq -o /dev/null true 2>/dev/null; then
    traced=yes
elif [ -z "$SAN" ] && have strace; then # a container may forbid it, in CI too
    skipped=$((skipped + 1)) traced=
    echo "skipped: system calls that fail: no process may be traced here"
else
    skip "system calls that fail: needs strace that may trace, and a build without sanitizers"
    traced=
fi

# ---- The modes: what runs, what it writes, and whether that is right --------------------------------

# Each has a folder $at with what is old, and writes into it. mode_run; mode_right, after a run that
# says that all is well, sets that beside the reference run in $good. What was printed is in out.
each='list rankings compare retrieve tables check check_list fingerprint once merge'
writers='retrieve tables check save misalignment merge curves selftest'
slow='save gate misalignment'
others='run accuracy multiplicity curves selftest profile'

same_out() { cmp "$good/out" "$at/out"; }
same() { cmp "$good/$1" "$at/$1"; }

list_run() { "$@" "$bench" --list; }
# A peer that cannot be loaded is said to be missing, and why.
kernels_of() { sed '/^peers$/q' "$1"; }
list_right() {
    kernels_of "$good/out" >"$scratch/rows" && kernels_of "$at/out" | cmp - "$scratch/rows" &&
        [ "$(wc -l <"$good/out")" -eq "$(wc -l <"$at/out")" ]
}

for row in '\001\000' '\000\001' '\001\001'; do # converted, where a .fbin is mapped
    printf "\002\000\000\000$row"
done >"$scratch/q.bvecs"
printf '\004\000\000\000\002\000\000\000' >"$scratch/g.fbin"
one='\000\000\200\077' zero='\000\000\000\000' minus='\000\000\200\277'
printf "$one$zero$zero$one$one$one$minus$zero" >>"$scratch/g.fbin"
printf '2\n\n3, 0\n' >"$scratch/r.csr"
printf '0 2\n1 2\n2 0\n' >"$scratch/rankings"
printf '\003\000\000\000\001\000\000\000\002\000\000\000\003\000\000\000\000\000\000\000' >"$scratch/r.ibin"
rankings_run() { "$@" "$bench" retrieve --rankings "$scratch/rankings" -r "$scratch/r.ibin" --k 2; }
rankings_right() { same_out; }
retrieve_run() {
    "$@" "$bench" retrieve -q "$scratch/q.bvecs" -g "$scratch/g.fbin" -r "$scratch/r.csr" --k 1,2 \
        --both --save-rankings "$at/ranked"
}
retrieve_right() { same ranked && same ranked.gallery && [ "$(wc -l <"$at/out")" -gt 5 ]; }

compare_run() { "$@" "$bench" compare "$scratch/run.json" "$scratch/run.json"; }
compare_right() { same_out; }
tables_run() { "$@" "$bench" --tables "$at/results"; }
tables_right() { diff -r "$good/results" "$at/results" && [ -s "$at/out" ]; }

check_run() { "$@" "$check" --quick --kernel dot_pair --shape 1 --seed 1 --junit "$at/junit"; }
check_right() { same_out && same junit; }
check_list_run() { "$@" "$check" --list; }
check_list_right() { same_out; }
fingerprint_run() { "$@" "$check" --quick --kernel dot_pair --fingerprint; }
fingerprint_right() { same_out; }
merge_run() { "$@" "$check" merge "$scratch/a.json" "$scratch/b.json" --junit "$at/junit"; }
merge_right() { same_out && same junit; }
once_run() { "$@" "$bench" --once topk --isa scalar --shape 64x4; }
once_right() { [ "$(wc -l <"$at/out")" -eq "$(wc -l <"$good/out")" ]; }

# What was timed, and how each went.
rows() { grep -oE '"(kernel|shape|variant|state|checked)":("[^"]*"|true|false)' "$1"; }
timed() { rows "$at/$1" >"$scratch/rows" && rows "$good/$1" | cmp - "$scratch/rows"; }
run_run() { "$@" "$bench" --smoke --kernel dot_pair --isa scalar --json "$at/run.json"; }
run_right() { timed run.json && grep -q dot_pair "$at/out"; }
save_run() { "$@" "$bench" --smoke --kernel dot_pair --isa scalar --csv --results "$at/new"; }
save_right() {
    grep -q dot_pair "$at/out" && set -- "$at"/new/*/*/run.json && [ $# -eq 1 ] &&
        rows "$1" >"$scratch/rows" && rows "$good"/new/*/*/run.json | cmp - "$scratch/rows" &&
        [ -s "$at/new/TABLES.md" ]
}
gate_run() {
    "$@" "$bench" --gate "$bench" --kernel dot_pair --isa scalar --shape 16 --seconds 1 \
        --results "$at/none" --json "$at/gate.json" --junit "$at/gate.xml"
}
# Its verdict is chance: the same program is on both sides.
gate_right() { tail -n 1 "$at/gate.xml" | grep -q '</testsuite' && grep -q '"verdict"' "$at/gate.json"; }
errors() { grep '"loss"' "$1"; }
accuracy_run() { "$@" "$bench" accuracy --smoke --json "$at/accuracy.json"; }
accuracy_right() {
    errors "$at/accuracy.json" >"$scratch/rows" && errors "$good/accuracy.json" | cmp - "$scratch/rows"
}
misalignment_run() { "$@" "$study" misalignment --selected 1 --steps 1 --svg "$at/figure.svg"; }
misalignment_right() { same figure.svg; }
multiplicity_run() { "$@" "$study" multiplicity --steps 1 --svg "$at/figure.svg"; }
multiplicity_right() { same figure.svg; }
curves_run() {
    "$@" "$bench" --curves=batch --dim 16 --seconds 1 --peers none --results "$at/new"
}
curves_right() {
    set -- "$at"/new/*/*/curves.json && [ $# -eq 1 ] && grep -q infonce "$1" && [ -s "$at/new/TABLES.md" ]
}
selftest_run() {
    "$@" "$bench" selftest --kernel dot_pair --shape 16 --runs 4 --seconds 1 --no-hog --results "$at/new"
}
selftest_right() { set -- "$at"/new/*/selftest.json "$at"/new/*/selftest.md && [ -s "$1" ] && [ -s "$2" ]; }
profile_run() { "$@" "$bench" --profile dot_pair --shape 16 --isa scalar --seconds 1; }
profile_right() { grep -q 'calls/s' "$at/out"; }

# ---- A trial ----------------------------------------------------------------------------------------

at=$scratch/at good=$scratch/good template=$scratch/template
# The old files of all modes, each of one line.
mkdir -p "$template/results"
for file in ranked ranked.gallery junit run.json gate.json gate.xml accuracy.json \
    figure.svg results/TABLES.md results/percent-of-peak.svg; do
    echo old >"$template/$file"
done

afresh() {
    rm -rf "$at"
    cp -r "$template" "$at"
}

# tried mode command...: runs it; its status in $status. A mode's own good status is $good_status.
tried() {
    afresh
    trials=$((trials + 1))
    mode=$1
    shift
    "${mode}_run" timeout 60 "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    mv "$scratch/out" "$at/out"
}

# Every file is the old one or new and whole; of what takes its place by turns some may be either.
whole() {
    for file in ranked ranked.gallery junit run.json gate.json gate.xml accuracy.json \
        figure.svg results/TABLES.md results/percent-of-peak.svg; do
        cmp -s "$template/$file" "$at/$file" && continue
        case $file in
        run.json | gate.json | accuracy.json)
            [ "$(tail -c 2 "$at/$file" | head -c 1)" = '}' ] ;;
        gate.xml) tail -n 1 "$at/$file" | grep -q '</testsuite' ;;
        # Written after the run, whatever came of it; of one that failed it says so.
        junit) cmp -s "$good/$file" "$at/$file" || grep -q '<failure message="..' "$at/$file" ;;
        *) cmp -s "$good/$file" "$at/$file" ;;
        esac || { echo "$file is neither old nor whole" && return 1; }
    done
}

nothing_left() {
    left=$(find "$at" -name '*.part')
    [ -z "$left" ] || { echo "left behind: $left" && return 1; }
}

# honest: what came of the last trial.
honest() {
    [ "$mode" = gate ] && [ "$status" -lt 4 ] && good_status=$status
    if [ "$status" -eq 0 ] || { [ "$status" -eq "$good_status" ] && [ ! -s "$scratch/err" ]; }; then
        "${mode}_right"
    else
        told=$((told + 1))
        # What --once says goes to who asked it, on its standard output.
        [ "$mode" = once ] && grep -v '^[0-9 .]*$' "$at/out" >>"$scratch/err"
        [ "$status" -lt 124 ] && [ -s "$scratch/err" ] && whole && nothing_left
    fi
}

# sample total most: that many of 1 to total, one of each stretch; all where there are no more.
sample() {
    awk -v total="$1" -v most="$2" 'BEGIN {
        srand(7)
        for (i = 0; i < most && i < total; i++)
            print total <= most ? i + 1 : 1 + int((i + rand()) * total / most) }'
}

# begin_mode mode: the reference run, in $good; how many allocations it makes, in $total, and the
# system calls of its own process after main began, "call n last" a line, in calls.
begin_mode() {
    rm -rf "$good"
    total=0
    at=$good preloaded "$1" 0 0
    [ -z "$faults" ] || total=$(($(od -An -tu8 "$scratch/count")))
    good_status=$status
    [ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && [ ! -s "$scratch/err" ]; } || [ "$1" = gate ] ||
        { complain "$1" && return 1; }
    [ -n "$traced" ] || return 0
    tried "$1" strace -qq -o "$scratch/strace" -e trace=fcntl,"$names"
    honest || { complain "$1, traced" && return 1; }
    awk -F'(' '/^fcntl\(0, F_GETFD\)/ { began = 1 }
        /^[a-z0-9_]+\(/ { count[$1]++; if (began && !first[$1]) first[$1] = count[$1] }
        END { for (call in first) for (n = first[call]; n <= count[call]; n++)
            print call, n, count[call] }' "$scratch/strace" |
        sort -k 1,1 -k 2,2n >"$scratch/calls"
    [ -s "$scratch/calls" ]
}

complain() {
    printf '%s, status %d (well: %d), and said:\n' "$1" "$status" "$good_status"
    cat "$scratch/err"
}

# ---- Memory -----------------------------------------------------------------------------------------

# preloaded mode n lasting: the nth allocation is refused (0: none; lasting: and all after it).
preloaded() {
    if [ -z "$faults" ]; then
        tried "$1" env
        return
    fi
    : >"$scratch/count" && truncate -s 8 "$scratch/count"
    tried "$1" env FAULTS_COUNTER="$scratch/count" FAULTS_AT="$2" FAULTS_LASTING="$3" \
        LD_PRELOAD="$faults"
}

# without_memory mode most lasting
without_memory() {
    [ "$total" -gt 0 ] || return 1
    for n in $(sample "$total" "$2"); do
        preloaded "$1" "$n" "$3"
        honest || { complain "allocation $n of $total" && return 1; }
    done
}

comes_short() {
    tried "$1" env FAULTS_SHORT=1 LD_PRELOAD="$faults"
    [ "$status" -eq "$good_status" ] && "${1}_right"
}

# ---- System calls -----------------------------------------------------------------------------------

# Each with the error that it fails with. Programs that are not there, as gnuplot, are no fault.
calls='openat:EMFILE read:EIO pread64:EIO write:ENOSPC close:EIO fsync:EIO rename:EIO link:ENOSPC
    mkdir:ENOSPC lseek:EIO newfstatat:EIO getdents64:EIO pipe2:EMFILE clone3:EAGAIN vfork:EAGAIN
    mmap:ENOMEM flock:ENOLCK ftruncate:ENOSPC memfd_create:EMFILE unlink:EIO'
names=$(echo $calls | sed 's/:[A-Z]*//g; s/ /,/g')

# some_calls list most: a sample of those calls that the list names, "call n last error" a line, in
# some. A list is "call:error..."
some_calls() {
    echo "$1" | tr -s ' :' '\n ' |
        awk 'NR == FNR { error[$1] = $2; next } $1 in error { print $0, error[$1] }' - \
            "$scratch/calls" >"$scratch/named"
    sample "$(wc -l <"$scratch/named")" "$2" >"$scratch/numbers"
    awk 'NR == FNR { wanted[$1]; next } FNR in wanted' "$scratch/numbers" "$scratch/named" \
        >"$scratch/some"
    [ -s "$scratch/some" ]
}

failing_calls() {
    some_calls "$calls" "$2" || return 1
    while read -r call n last error; do
        tried "$1" strace -qq -o /dev/null -e trace="$call" -e inject="$call:error=$error:when=$n"
        if [ "$call" = unlink ]; then # what cannot be removed stays
            rm -f "$at"/*.part "$at"/*/*.part
        fi
        honest || { complain "$call $n of $last: $error" && return 1; }
    done <"$scratch/some"
}

# ---- Signals ----------------------------------------------------------------------------------------

# The calls by which files come to be; of all but the first three of them all.
moments='flock:x write:x lseek:x fsync:x rename:x link:x unlink:x close:x openat:x'

# died signal: of it, with files that are whole.
died() {
    [ "$status" -gt 128 ] && [ "$(kill -l $((status - 128)))" = "$1" ] && whole &&
        { [ "$1" = KILL ] || nothing_left; }
}

# dies mode most signal: of the signal, at such calls.
dies() {
    some_calls "$moments" "$2" || return 1
    while read -r call n last error; do
        tried "$1" strace -qq -o /dev/null -e trace="$call" -e inject="$call:signal=$3:when=$n"
        died "$3" || { complain "$3 at $call $n of $last" && return 1; }
        [ -n "$(find "$at" -name '*.part')" ] || continue
        left_behind=$((left_behind + 1))
        # A gnuplot that the killed run had started writes on until its script ends, and holds the lock.
        find "$at" -name '*.part' -exec flock -w 10 {} true \;
        # The next run removes what this one left.
        "${1}_run" timeout 60 >"$at/out" 2>"$scratch/err"
        status=$?
        { [ "$status" -eq "$good_status" ] && "${1}_right" && nothing_left; } ||
            { complain "a run after $3 at $call $n of $last" && return 1; }
    done <"$scratch/some"
}

# ---- All of it --------------------------------------------------------------------------------------

check "a run to work with" "$bench" --smoke --kernel dot_pair,topk --seed 3 --json "$scratch/run.json"
for report in a b; do
    check "a report to work with" "$check" --quick --quiet --kernel dot_pair --isa scalar --json "$scratch/$report.json"
done
mkdir -p "$template/results/machine/2026-01-01"
cp "$scratch/run.json" "$template/results/machine/2026-01-01"

trials=0 told=0 left_behind=0
[ "$words" = all ] && words="$each $slow $others"
for mode in ${words:-$each $slow}; do
    many=$TRIALS
    case " $slow $others " in *" $mode "*) many=$((TRIALS / 4)) ;; esac
    check "$mode: as it should be" begin_mode "$mode"
    if [ -n "$faults" ]; then
        check "$mode: the nth allocation is refused" without_memory "$mode" "$many" 0
        check "$mode: and all after it" without_memory "$mode" $((many / 4 + 1)) 1
    fi
    if [ -n "$faults" ] && [ "$many" -eq "$TRIALS" ]; then
        check "$mode: reads and writes come short" comes_short "$mode"
    fi
    if [ -n "$traced" ]; then
        check "$mode: the nth system call fails" failing_calls "$mode" $((many * 2))
        case " $writers " in *" $mode "*)
            for signal in INT TERM KILL; do
                check "$mode: SIG$signal" dies "$mode" $(((many + 1) / 2)) $signal
            done
            ;;
        esac
    fi
done
if [ -z "$words" ]; then
    . tests/faults/places.inc
fi
echo "$trials trials; $told of them ended with an error, $left_behind killed ones left a .part"
if [ -n "$faults$traced" ]; then
    check "faults are told" test "$told" -ge $((trials / 10))
fi
finish

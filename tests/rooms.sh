#!/bin/sh
# rooms.sh - the order of rooms holds, and an include against it is found.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

tree=$scratch/tree
mkdir -p "$tree/tests"
cp -R kernels bench ref "$tree/" && cp tests/rooms "$tree/tests/" || exit 1

# against pattern file include: the include, added to the file, is reported with the pattern.
against() {
    cp "$tree/$2" "$scratch/kept"
    echo "#include \"$3\"" >>"$tree/$2"
    "$tree/tests/rooms" >"$scratch/out"
    status=$?
    cat "$scratch/out"
    cp "$scratch/kept" "$tree/$2"
    [ "$status" -eq 1 ] && grep -q "$1" "$scratch/out"
}

check "the order holds" tests/rooms
check "a lower room may not know a higher one" \
    against "kernels/tile may not know kernels/infonce" kernels/tile/tile.c ../infonce/infonce.h
check "rooms of one line may not know each other" \
    against "kernels/topk may not know kernels/query" kernels/topk/topk.c ../query/query.h
check "the library knows nothing but itself" \
    against "kernels/exp may not know ref" kernels/exp/exp.c ../../ref/case.h
check "the oracle does not know the bench" \
    against "ref may not know bench/base" ref/cases.c ../bench/base/text.h
check "the studies know the rooms they name only" \
    against "bench/studies may not know bench/timing" bench/studies/study.c ../timing/run.h
check "mmk-bench does not know the studies" \
    against "bench/main may not know bench/studies" bench/pick.c studies/study.h
check "the bench does not know the tests" \
    against "bench/base may not know tests" bench/base/text.c ../../tests/check/check.h
check "an include is seen however it is written" \
    against "kernels/tile may not know kernels/search" kernels/tile/tile.c '../search/search.h"
  #  include  "../search/search.h'
check "a room that the order leaves out is known to nobody" \
    against "bench/report may not know bench/new" bench/report/report.c ../new/new.h
finish

#!/bin/sh
# fuzz.sh - the fuzzers' corpora once more, without libFuzzer: what they once found stays mended.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

for fuzzer in tests/fuzz/fuzz_*.c; do
    name=$(basename "$fuzzer" .c) name=${name#fuzz_}
    if "$BUILD/bin/replay-$name" tests/fuzz/corpus/"$name"/* >"$scratch/replay" 2>&1; then
        passed=$((passed + $(sed -n 's/^\([0-9]*\) passed, 0 failed, 0 skipped$/\1/p' "$scratch/replay")))
    else
        fail "replay-$name"
        tail -n 20 "$scratch/replay"
    fi
done

# A harness that cannot fail finds nothing.
printf '\223NUMPY' >"$scratch/short"
check "an input by name" "$BUILD/bin/replay-vectors" "$scratch/short"
check "no input at all is refused" sh -c "'$BUILD/bin/replay-vectors' 2>&1 | grep -q 'nothing to replay'"

finish

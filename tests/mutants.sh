#!/bin/sh
# mutants.sh - proves mmk-check with planted bugs (tests/mutants/), as many at a time as there are CPUs.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." || exit 1
parts=$(nproc) logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
part=0
while [ "$part" -lt "$parts" ]; do
    PART=$part/$parts tests/mutants/run >"$logs/$part" 2>&1 &
    part=$((part + 1))
done
wait
cat "$logs"/*
# The closing lines of the parts together; one that is missing is a failure.
awk -v parts="$parts" '
    /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $1; failed += $3; skipped += $5; seen++ }
    END {
        failed += parts - seen
        print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"
        exit failed > 0 || passed + skipped == 0
    }' "$logs"/*

#!/bin/sh
# qemu_aarch64.sh - the NEON kernels in qemu-aarch64: every check, and the bits of this machine.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

if [ "$(uname -m)" = aarch64 ]; then
    pass # mmk-check itself has run NEON
    finish
fi
if ! have qemu-aarch64; then
    skip "NEON: qemu-aarch64 is not installed (package qemu-user)"
    finish
fi
if [ ! -x "$CROSS_BUILD/bin/mmk-check" ]; then
    skip "NEON: no cross-built mmk-check (package gcc-aarch64-linux-gnu)"
    finish
fi

MMK_ISA=scalar "$BUILD/bin/mmk-probe" | tail -n +2 >"$scratch/expected"
for cpu in cortex-a72 neoverse-n1 max; do
    qemu="qemu-aarch64 -cpu $cpu"
    if ! $qemu "$CROSS_BUILD/bin/mmk-probe" >"$scratch/output" 2>"$scratch/error"; then
        fail "mmk-probe on $cpu: $(tail -n 3 "$scratch/error")"
        continue
    fi
    check "$cpu chooses neon" grep -qx "isa neon" "$scratch/output"
    tail -n +2 "$scratch/output" >"$scratch/hashes"
    check "neon on $cpu returns the bits of this machine" diff "$scratch/expected" "$scratch/hashes"
done
qemu="qemu-aarch64 -cpu cortex-a72"
MMK_ISA=scalar $qemu "$CROSS_BUILD/bin/mmk-probe" 2>&1 | tail -n +2 >"$scratch/hashes"
check "scalar on cortex-a72 returns the bits of this machine" diff "$scratch/expected" \
    "$scratch/hashes"
MMK_ISA=avx2 $qemu "$CROSS_BUILD/bin/mmk-probe" >"$scratch/output" 2>&1
check "avx2 on cortex-a72 is refused with exit status 2" test $? -eq 2

# One hash per kernel and kind of input.
fingerprint="bin/mmk-check --quick --fingerprint"
"$BUILD"/$fingerprint >"$scratch/here" 2>/dev/null
$qemu "$CROSS_BUILD"/$fingerprint >"$scratch/there" 2>/dev/null
check "mmk-check --fingerprint prints something" test "$(wc -l <"$scratch/here")" -gt 20
check "the fingerprints of this machine and of cortex-a72 are the same" \
    diff "$scratch/here" "$scratch/there"

# The reduced sweep of mmk-check; its counts are added to this suite's.
$qemu "$CROSS_BUILD/bin/mmk-check" --quick --isa scalar,neon --threads 1,2 --require neon >"$scratch/output" 2>&1
status=$?
line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$scratch/output" | tail -n 1)
if [ -z "$line" ]; then
    fail "mmk-check --quick on cortex-a72 died with exit status $status"
    tail -n 20 "$scratch/output"
else
    [ "$status" -eq 0 ] || grep -v '^ok' "$scratch/output" | tail -n 40
    passed=$((passed + ${line%% passed*}))
    line=${line#*passed, }
    failed=$((failed + ${line%% failed*}))
    line=${line#*failed, }
    skipped=$((skipped + ${line%% skipped*}))
fi
finish

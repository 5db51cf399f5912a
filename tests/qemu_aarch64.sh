#!/bin/sh
# qemu_aarch64.sh - the NEON kernels in qemu-aarch64: the reduced sweep, and the bits of this machine; of
# plain C compiled for aarch64 only what mmk-probe calls.
# SPDX-License-Identifier: MIT
#
# usage: tests/qemu_aarch64.sh [K/N]     of N parts the Kth, in which every Nth kernel is (default 1/1)
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

part=${1:-1/1}

# What the first part asks.
once() {
    MMK_ISA=scalar "$BUILD/bin/mmk-probe" | tail -n +2 >"$scratch/expected"
    check "mmk-probe on neoverse-n1" \
        sh -c "qemu-aarch64 -cpu neoverse-n1 '$CROSS_BUILD/bin/mmk-probe' isa >'$scratch/output'"
    check "neoverse-n1 chooses neon" grep -qx "isa neon" "$scratch/output"
    for cpu in cortex-a72 max; do
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
    counted mmk-ops $qemu "$CROSS_BUILD/bin/mmk-ops"
    # cortex-a72 has no dot products of bytes.
    "$BUILD/bin/mmk-check" --quick --fingerprint --kernel coded_search | hashes >"$scratch/expected"
    qemu-aarch64 -cpu max "$CROSS_BUILD/bin/mmk-check" --quick --fingerprint --kernel coded_search |
        hashes >"$scratch/hashes"
    check "there are hashes of coded_search" test "$(wc -l <"$scratch/expected")" -gt 10
    check "searches through codes on max return the bits of this machine" \
        diff "$scratch/expected" "$scratch/hashes"
}

# Of a fingerprint, without what hangs on the machine.
hashes() {
    sed -E '/^made with/d; s/ +[0-9.infa-]+ of the bound$//; /errors on average/d'
}

# counted name command...: a program that ends with counts; they are added to this suite's.
counted() {
    name=$1
    shift
    "$@" >"$scratch/output" 2>&1
    status=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$scratch/output" | tail -n 1)
    if [ -z "$line" ]; then
        fail "$name on cortex-a72 died with exit status $status"
        tail -n 20 "$scratch/output"
        return
    fi
    [ "$status" -eq 0 ] || grep -v '^ok' "$scratch/output" | tail -n 40
    passed=$((passed + ${line%% passed*}))
    line=${line#*passed, }
    failed=$((failed + ${line%% failed*}))
    line=${line#*failed, }
    skipped=$((skipped + ${line%% skipped*}))
}

qemu="qemu-aarch64 -cpu cortex-a72"
[ "${part%/*}" -ne 1 ] || once

# The reduced sweep of mmk-check; its counts are added to this suite's. The same trials are called here,
# where the oracle judges them, and the results of both, kernel by kernel, must be the same.
quick="bin/mmk-check --quick --threads 1,2 --quiet"
here=$("$BUILD/bin/mmk-check" --list | sed -n 's/^  \(scalar\|avx2\|avx512\|neon\)  *usable$/\1/p' | tail -n 1)
"$BUILD"/$quick --part "$part" --isa "$here" --json "$scratch/here.json" >"$scratch/output" 2>&1
check "mmk-check --quick of $here on this machine" test $? -eq 0
counted 'mmk-check --quick' $qemu "$CROSS_BUILD"/$quick --part "$part" --isa neon --require neon --no-oracle \
    --json "$scratch/there.json"
"$BUILD/bin/mmk-check" merge "$scratch/here.json" "$scratch/there.json" >"$scratch/output" 2>&1
status=$?
grep -v ' passed, ' "$scratch/output" | grep -v 'as in [AB]$' | tail -n 20
check "mmk-check merge: neon on cortex-a72 has the results of $here here" test "$status" -eq 0
check "one run was emulated and had no oracle" sh -c "grep -q '^B .* aarch64 emulated, ' '$scratch/output' &&
    test \$(grep -c 'without the oracle' '$scratch/output') -eq 1"
kernels=$("$BUILD/bin/mmk-check" --list | sed -n '/^kernels/,/^fills/p' | grep '^  ' |
    awk -v first="${part%/*}" -v parts="${part#*/}" 'NR % parts == first % parts' | wc -l)
check "all $kernels kernels were compared" \
    test "$(grep -cE ' neon .* as in [AB]$' "$scratch/output")" -eq "$kernels"
# The oracle tells where the bits are others.
[ "$status" -eq 0 ] || counted 'mmk-check --quick with the oracle' $qemu "$CROSS_BUILD"/$quick --part "$part" --isa scalar,neon --stop
finish

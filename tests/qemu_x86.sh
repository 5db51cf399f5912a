#!/bin/sh
# qemu_x86.sh - on x86 CPUs without AVX-512, without AVX2 and without AVX the right instruction set is
# chosen, and a wider one refused; bits are right without AVX-512 and without AVX.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

probe=$BUILD/bin/mmk-probe
if [ "$(uname -m)" != x86_64 ]; then
    skip "x86 CPUs: this machine is no x86-64"
    finish
fi
if [ -n "$SAN" ]; then
    skip "x86 CPUs: sanitizers do not run in qemu-user"
    finish
fi

# hashes isa: what this machine's own probe prints with that instruction set.
hashes() {
    MMK_ISA=$1 "$probe" | tail -n +2
}

hashes scalar >"$scratch/expected" || fail "mmk-probe with MMK_ISA=scalar"
for isa in avx2 avx512; do
    MMK_ISA=$isa "$probe" >"$scratch/output" 2>"$scratch/error"
    case $? in
    0)
        tail -n +2 "$scratch/output" >"$scratch/hashes"
        check "$isa returns the bits of scalar" diff "$scratch/expected" "$scratch/hashes"
        ;;
    2) ;; # not on this machine
    *) fail "mmk-probe with MMK_ISA=$isa: $(cat "$scratch/error")" ;;
    esac
done

# refused name text command...: exit status 2, and the text on standard error.
refused() {
    name=$1 text=$2
    shift 2
    "$@" >"$scratch/output" 2>"$scratch/error"
    status=$?
    if [ "$status" -ne 2 ]; then
        fail "$name: exit status $status, must be 2"
    elif ! grep -q "$text" "$scratch/error"; then
        fail "$name: does not say '$text': $(tail -n 1 "$scratch/error")"
    else
        pass
    fi
}

# Tools too, on this machine.
for tool in mmk-probe mmk-check mmk-bench; do
    [ -x "$BUILD/bin/$tool" ] || continue
    refused "$tool with MMK_ISA=bogus" "MMK_ISA" env MMK_ISA=bogus "$BUILD/bin/$tool"
    refused "$tool with MMK_ISA=neon" "MMK_ISA" env MMK_ISA=neon "$BUILD/bin/$tool"
done
for tool in mmk-check mmk-bench; do
    [ -x "$BUILD/bin/$tool" ] || continue
    refused "$tool --isa bogus" "bogus" "$BUILD/bin/$tool" --isa bogus
    refused "$tool --isa neon" "neon" "$BUILD/bin/$tool" --isa neon
done

if ! have qemu-x86_64; then
    skip "x86 CPUs: qemu-x86_64 is not installed (package qemu-user)"
    finish
fi

# cpu expected-isa: what is chosen there, its bits, and what is refused.
emulate() {
    cpu=$1 expected=$2
    qemu="qemu-x86_64 -cpu $cpu"
    if ! $qemu "$probe" >"$scratch/output" 2>"$scratch/error"; then
        fail "mmk-probe on $cpu: $(tail -n 3 "$scratch/error")"
        return
    fi
    check "$cpu chooses $expected" grep -qx "isa $expected" "$scratch/output"
    tail -n +2 "$scratch/output" >"$scratch/hashes"
    check "$cpu returns the bits of this machine" diff "$scratch/expected" "$scratch/hashes"
    refused "avx512 on $cpu" "cannot run" env MMK_ISA=avx512 $qemu "$probe"
    [ "$expected" = avx2 ] || refused "avx2 on $cpu" "cannot run" env MMK_ISA=avx2 $qemu "$probe"
    refused "bogus on $cpu" "unknown instruction set" env MMK_ISA=bogus $qemu "$probe"
    if [ -x "$BUILD/bin/mmk-check" ]; then
        refused "mmk-check --isa avx512 on $cpu" "avx512" $qemu "$BUILD/bin/mmk-check" --isa avx512
    fi
}

emulate Nehalem scalar
# With AVX alone: its bits are those of the same code on Nehalem.
qemu="qemu-x86_64 -cpu SandyBridge"
check "mmk-probe on SandyBridge" sh -c "$qemu '$probe' isa >'$scratch/output'"
check "SandyBridge chooses scalar" grep -qx "isa scalar" "$scratch/output"
refused "avx2 on SandyBridge" "cannot run" env MMK_ISA=avx2 $qemu "$probe"
refused "avx512 on SandyBridge" "cannot run" env MMK_ISA=avx512 $qemu "$probe"
emulate Haswell avx2
finish

#!/bin/sh
# peer_prefix.sh - PEER_PREFIX: adapters are built with the libraries that are in a folder.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
unset CFLAGS CPPFLAGS LDFLAGS PEER_PREFIX

build=$scratch/build prefix=$scratch/prefix
mkdir -p "$scratch/empty" "$scratch/half/include" "$prefix/include" "$prefix/lib"

# refused folder word: make ends with status 2 and a sentence that names the folder, and makes nothing.
refused() {
    make -n BUILD="$build" PEER_PREFIX="$1" peers >"$scratch/out" 2>&1
    status=$?
    cat "$scratch/out"
    [ $status -eq 2 ] && [ "$(wc -l <"$scratch/out")" -eq 1 ] &&
        grep -q -e "PEER_PREFIX: .*$1[; ].*$2.*leave it out" "$scratch/out" && ! [ -e "$build" ]
}
check "a folder that is not there" refused "$scratch/none" 'name one'
check "an empty folder" refused "$scratch/empty" 'include/dnnl.h and lib/libdnnl.so'
: >"$scratch/half/include/dnnl.h"
check "a header without its library" refused "$scratch/half" 'none of'
check "no folder at all is the system's" make -n BUILD="$build" PEER_PREFIX= all

# The system's own library, in another folder.
system=/usr/lib/$($CC -print-multiarch 2>/dev/null)/openblas-openmp/pkgconfig
of_system() {
    PKG_CONFIG_PATH=$system:${PKG_CONFIG_PATH:-} pkg-config --variable="$1" openblas 2>/dev/null
}
headers=$(of_system includedir) libraries=$(of_system libdir)
libraries=${libraries%/} object=$build/lib/peers/openblas.so
if ! [ -e "$headers/cblas.h" ] || ! [ -e "$libraries/libopenblas.so" ]; then
    skip "adapters with another OpenBLAS: there is none here (make peers)"
    finish
fi
ln -s "$headers"/*.h "$prefix/include"
ln -s "$libraries"/libopenblas.so* "$prefix/lib"

# Quick to compile: what is asked is what it is linked with.
adapter() {
    make -j2 BUILD="$build" CC="$CC" CFLAGS=-O0 SAN= WERROR= "$@" "$object" >"$scratch/made" 2>&1
    status=$?
    cat "$scratch/made"
    return $status
}
# linked folder: it is to be looked for there, and is found there.
linked() {
    readelf -d "$object"
    readelf -d "$object" | grep -q "R.*PATH.*\[$1/*\]" &&
        ldd "$object" | grep -q "libopenblas.* => $1/"
}
check "an adapter with that of the folder" adapter PEER_PREFIX="$prefix"
check "which is said" grep -q "openblas.c with that of $prefix\$" "$scratch/made"
check "it is linked with that" linked "$prefix/lib"
touch "$scratch/then"
check "once more" adapter PEER_PREFIX="$prefix"
check "nothing is built" test "$scratch/then" -nt "$object"
rm "$prefix/include/openblas_config.h"
cp "$headers/openblas_config.h" "$prefix/include"
check "a header has changed" adapter PEER_PREFIX="$prefix"
check "it is built anew" test "$object" -nt "$scratch/then"
check "without the folder" adapter
check "it is the system's" linked "$libraries"
check "which is said, too" grep -q "openblas.c with the system's\$" "$scratch/made"
rm "$prefix/include/cblas.h"
: >"$prefix/include/dnnl.h"
: >"$prefix/lib/libdnnl.so"
check "a folder that has another library only" adapter PEER_PREFIX="$prefix"
check "it is the system's then" linked "$libraries"
check "and why is said" grep -q "openblas.c with the system's, for not all of .*cblas.h.* is in $prefix\$" \
    "$scratch/made"
finish

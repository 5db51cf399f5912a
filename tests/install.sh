#!/bin/sh
# install.sh - what `make install` puts down is enough to build and run the README's example.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc
export BUILD CC SAN

# With the flags of the build that is tested, or everything would be built again.
run_make() {
    make --no-print-directory WERROR="${BUILT_WERROR:-}" "$@"
}

# The first C block of the README, as it is shown.
example() {
    awk '/^```c$/ { inside = 1; next } /^```/ && inside { exit } inside' README.md
}

# Where things go: DESTDIR in front, PREFIX in mmk.pc.
check "make install with DESTDIR" run_make install DESTDIR="$scratch/root" PREFIX=/usr
for file in include/mmk.h lib/libmmk.a lib/libmmk.so lib/pkgconfig/mmk.pc; do
    check "$file is installed" test -e "$scratch/root/usr/$file"
done
check "mmk.pc names the prefix, not DESTDIR" grep -qx 'prefix=/usr' \
    "$scratch/root/usr/lib/pkgconfig/mmk.pc"
check "make uninstall" run_make uninstall DESTDIR="$scratch/root" PREFIX=/usr
check "make uninstall leaves no file" test -z "$(find "$scratch/root" ! -type d)"

if ! have pkg-config; then
    skip "pkg-config is not installed"
    finish
fi
prefix=$scratch/prefix
check "make install with PREFIX" run_make install PREFIX="$prefix" DESTDIR=
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
# mmk.h includes nothing of libcpuid, and whoever links the shared library needs no .pc file of it.
check "pkg-config needs no other package" \
    env -u PKG_CONFIG_PATH PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig" pkg-config --cflags --libs mmk
check "it asks for nothing but mmk" \
    sh -c "! pkg-config --cflags --libs mmk | grep -e cpuid -e fopenmp"
case $(uname -m) in
x86_64) check "to link statically it names libcpuid" \
    sh -c "pkg-config --static --libs mmk | grep -q -e -lcpuid" ;;
esac
check "pkg-config knows the version" test "$(pkg-config --modversion mmk)" = \
    "$(awk '/define MMK_VERSION_(MAJOR|MINOR|PATCH)/ { v = v "." $3 } END { print substr(v, 2) }' \
        kernels/mmk.h)"

if [ ! -f README.md ] || [ -z "$(example)" ]; then
    fail "README.md has no C example"
    finish
fi
example >"$scratch/example.c"
flags="-std=c11 -Wall -Wextra -Werror ${SAN:+-fsanitize=$SAN}"
check "the README's example compiles (shared)" \
    "$CC" $flags "$scratch/example.c" $(pkg-config --cflags --libs mmk) -lm -o "$scratch/shared"
check "the README's example runs (shared)" env LD_LIBRARY_PATH="$prefix/lib" "$scratch/shared"
check "it uses the shared library" \
    sh -c "LD_LIBRARY_PATH='$prefix/lib' ldd '$scratch/shared' | grep -q '$prefix/lib/libmmk'"

rm -f "$prefix"/lib/libmmk.so*
check "the README's example compiles (static)" \
    "$CC" $flags "$scratch/example.c" $(pkg-config --static --cflags --libs mmk) -o "$scratch/static"
check "the README's example runs (static)" "$scratch/static"
check "it needs no shared library of mmk" sh -c "! ldd '$scratch/static' | grep -q libmmk"
finish

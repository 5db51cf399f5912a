#!/bin/sh
# ctypes.sh - the structs of mmk.h as ctypes lays them out, and a call through them.
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." && . tests/suite.inc

if ! have python3; then
    skip "python3 is not installed"
    finish
fi
if [ -n "$SAN" ]; then
    skip "ctypes: a library with sanitizers cannot be loaded into python3"
    finish
fi

# Every struct of mmk.h: its fields as the header has them, a line each, "struct field type [count]".
fields() {
    awk '
        /^struct mmk_[a-z_]* \{/ { name = $2; next }
        /^\};/ { name = "" }
        name != "" {
            sub(/\/\*.*/, ""); sub(/;.*/, "")
            type = $0; sub(/^ */, "", type)
            base = type ~ /\*/ ? "p" : type ~ /^enum|^int/ ? "i" : type ~ /^float/ ? "f" : "n"
            n = split(type, part, ",")
            for (i = 1; i <= n; i++) {
                field = part[i]; count = 1
                if (match(field, /\[[0-9]+\]/)) {
                    count = substr(field, RSTART + 1, RLENGTH - 2)
                    field = substr(field, 1, RSTART - 1)
                }
                sub(/.*[ *]/, "", field)
                print name, field, base, count
            }
        }' kernels/mmk.h
}
fields >"$scratch/fields"

# What the compiler makes of them.
{
    echo '#include "mmk.h"'
    echo '#include <stdio.h>'
    echo 'int main(void) {'
    while read -r struct field _ _; do
        echo "printf(\"%s %s %zu %zu%c\", \"$struct\", \"$field\", offsetof(struct $struct, $field),"
        echo "       sizeof(struct $struct), 10);"
    done <"$scratch/fields"
    echo 'return 0; }'
} >"$scratch/offsets.c"
check "the fields of mmk.h are read" test "$(wc -l <"$scratch/fields")" -gt 60
check "the program with their offsets compiles" "$CC" -std=c11 -I kernels "$scratch/offsets.c" \
    -o "$scratch/offsets"
"$scratch/offsets" >"$scratch/expected"

cat >"$scratch/layout.py" <<'END'
import ctypes, sys
types = {"p": ctypes.c_void_p, "i": ctypes.c_int, "f": ctypes.c_float, "n": ctypes.c_size_t}
structs = {}
for line in open(sys.argv[1]):
    name, field, kind, count = line.split()
    kind = types[kind] if count == "1" else types[kind] * int(count)
    structs.setdefault(name, []).append((field, kind))
made = {name: type(name, (ctypes.Structure,), {"_fields_": fields}) for name, fields in structs.items()}
for name, fields in structs.items():
    for field, _ in fields:
        print(name, field, getattr(made[name], field).offset, ctypes.sizeof(made[name]))

# CLIP's loss of two pairs.
mmk = ctypes.CDLL(sys.argv[2])
mmk.mmk_error_detail.restype = ctypes.c_char_p
def matrix(kind, floats):
    m = made[kind]()
    m.data, m.rows, m.columns = ctypes.addressof(floats), 2, 2
    return m
x, y = (ctypes.c_float * 4)(1, 0, 0, 1), (ctypes.c_float * 4)(1, 0, 1, 1)
gradient, loss = (ctypes.c_float * 4)(), ctypes.c_float()
X, Y, dX = matrix("mmk_matrix", x), matrix("mmk_matrix", y), matrix("mmk_matrix_out", gradient)
problem, results = made["mmk_infonce_problem"](), made["mmk_infonce_results"]()
problem.x, problem.y = ctypes.addressof(X), ctypes.addressof(Y)
problem.similarity, problem.logit_scale = 1, 10.0
results.loss, results.dx = ctypes.addressof(loss), ctypes.addressof(dX)
status = mmk.mmk_infonce(ctypes.byref(problem), ctypes.byref(results), None)
sys.exit(0 if status == 0 and 0.0 < loss.value < 1.0 and any(gradient) else mmk.mmk_error_detail())
END
if python3 "$scratch/layout.py" "$scratch/fields" "$BUILD/lib/libmmk.so" >"$scratch/seen" 2>"$scratch/error"; then
    pass
else
    fail "a call through ctypes: $(tail -n 1 "$scratch/error")"
fi
check "ctypes lays out every struct as the compiler does" diff "$scratch/expected" "$scratch/seen"
finish

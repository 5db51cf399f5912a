# rows of Y are found by the leading dimension of X
# file: kernels/pair/pair.c
# kernel: dot_rows
# isa: scalar
# dies: of the bound|expected|NaN
s/y += p.y.ld/y += p.x.ld/

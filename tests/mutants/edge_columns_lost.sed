# the edge of a matrix keeps one column too few
# file: kernels/tile/tile.c
# kernel: dot_matrix
# isa: scalar
# dies: not written
s/memcpy(c + r \* ldc, whole + r \* ops->nr, cols \* sizeof \*c)/memcpy(c + r * ldc, whole + r * ops->nr, (cols - 1) * sizeof *c)/

# one column too many is stored at the edge of a matrix
# file: kernels/tile/tile.c
# kernel: dot_matrix
# isa: scalar
# dies: padding|next to|crashed
s/memcpy(c + r \* ldc, whole + r \* ops->nr, cols \* sizeof \*c)/memcpy(c + r * ldc, whole + r * ops->nr, (cols + 1) * sizeof *c)/

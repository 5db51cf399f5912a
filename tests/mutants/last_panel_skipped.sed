# the last, incomplete panel of columns is not multiplied
# file: kernels/tile/tile.c
# kernel: cosine_matrix
# isa: scalar
# dies: was not written|of the bound|right is
/^void tile_multiply/,/^}/s/j < cols; j += nr/j + nr <= cols; j += nr/

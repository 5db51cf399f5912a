# the tile leaves out the last k
# file: kernels/tile/tile_avx2.c
# kernel: dot_matrix
# isa: avx2
# dies: of the bound|but .* on scalar
s/for (size_t k = 0; k < end; k++) {/for (size_t k = 0; k + 1 < end; k++) {/

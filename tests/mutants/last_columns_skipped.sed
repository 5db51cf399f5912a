# the columns beyond the last whole vector keep the dot product
# file: kernels/tile/tile_avx512.c
# kernel: neg_sq_l2_matrix
# isa: avx512
# dies: of the bound|must not be positive
/static void tile_neg_sq_l2_avx512/,/^}/s/if (j < cols) {/if (j > cols) {/

# a distance below 0 is not clamped
# file: kernels/tile/tile_avx2.c
# kernel: neg_sq_l2_matrix
# isa: avx2
# dies: must not be positive|but .* on scalar
s/_mm256_add_ps(_mm256_min_ps(_mm256_setzero_ps(), t), _mm256_setzero_ps())/_mm256_add_ps(t, _mm256_setzero_ps())/

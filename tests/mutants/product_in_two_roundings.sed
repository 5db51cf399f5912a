# products of one instruction set are rounded twice; others are compared with them
# file: kernels/tile/tile_avx2.c
# kernel: dot_matrix
# isa: avx2
# runs: all
# dies: but .* on avx2
s/acc\[r\]\[0\] = _mm256_fmadd_ps(ar, b0, acc\[r\]\[0\]);/acc[r][0] = _mm256_add_ps(_mm256_mul_ps(ar, b0), acc[r][0]);/

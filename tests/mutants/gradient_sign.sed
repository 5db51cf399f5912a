# the row's own part of the gradient is added, not taken out
# file: kernels/infonce/infonce_avx2.c
# kernel: infonce_backward
# isa: avx2
# dies: of the bound|but .* on scalar
s/v = _mm256_fnmadd_ps(_mm256_set1_ps(row->along)/v = _mm256_fmadd_ps(_mm256_set1_ps(row->along)/

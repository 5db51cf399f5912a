# neg_sq_l2 adds the row's own part of the gradient with the wrong sign
# file: kernels/infonce/infonce_avx2.c
# kernel: infonce_backward
# isa: avx2
# dies: of the bound|but .* on scalar
s/v = _mm256_fnmadd_ps(sum_g, /v = _mm256_fmadd_ps(sum_g, /

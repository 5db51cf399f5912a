# a NaN in the second of two vectors is not seen
# file: kernels/exp/exp_avx2.c
# kernel: logsumexp
# isa: avx2
# dies: nan
s/_mm256_cmp_ps(v\[0\], v\[1\], _CMP_UNORD_Q)/_mm256_cmp_ps(v[0], v[0], _CMP_UNORD_Q)/

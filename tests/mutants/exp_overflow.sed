# what is above the greatest float does not become Inf
# file: kernels/exp/exp_avx2.c
# kernel: exp
# isa: avx2
# dies: only 0x7fc00000 is right|right is inf
s/_mm256_set1_ps(EXP_HIGHEST), _CMP_NLE_UQ/_mm256_set1_ps(100.0f), _CMP_NLE_UQ/

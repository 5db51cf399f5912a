# results below the normal range are not made 0
# file: kernels/exp/exp_avx512.c
# kernel: exp
# isa: avx512
# dies: y.* right is 0
/exp_any_avx512/,/^}/s/_mm512_set1_ps(EXP_LOWEST)/_mm512_set1_ps(-200.0f)/

# a NaN keeps its payload
# file: kernels/exp/exp_avx512.c
# kernel: exp
# isa: avx512
# dies: only 0x7fc00000 is right
s/_mm512_set1_epi32(0x7fc00000)/_mm512_set1_epi32(-1)/

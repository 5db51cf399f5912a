# the places beyond the last element count as 0, and so as terms of the sum
# file: kernels/exp/exp_avx512.c
# kernel: logsumexp
# isa: avx512
# dies: of the bound
/exp_load_tail_avx512(size_t/,/^}/s/_mm512_set1_ps(-INFINITY)/_mm512_setzero_ps()/

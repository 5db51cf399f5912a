# two of the four passes keep their lanes in each other's place
# file: kernels/exp/exp_avx2.c
# kernel: logsumexp
# isa: avx2
# dies: but .* on scalar
s,lane\[l / 8\] = sum\[0\],lane[(l / 8 * 2 | l / 16) \& 6] = sum[0],

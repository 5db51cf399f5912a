# the column softmax of the positives misses its factor
# file: kernels/infonce/infonce_avx512.c
# kernel: infonce_backward
# isa: avx512
# dies: of the bound|but .* on scalar
s/_mm512_mul_ps(_mm512_loadu_ps(g->col_q + j),/_mm512_mul_ps(_mm512_set1_ps(1.0f),/

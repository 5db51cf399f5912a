# scores that equal the threshold are dropped
# file: kernels/topk/topk_avx2.c
# kernel: topk
# isa: avx2
# dies: right is|not written|count|crashed|did not end|but .* on scalar
s/_mm256_cmp_ps(v, at_least, _CMP_GE_OQ)/_mm256_cmp_ps(v, at_least, _CMP_GT_OQ)/

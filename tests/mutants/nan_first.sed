# NaN is ordered by its bits
# file: kernels/topk/topk_avx2.c
# kernel: topk
# isa: avx2
# dies: only 0x7fc00000 is right|right is|but .* on scalar
s/_CMP_ORD_Q/_CMP_TRUE_UQ/g

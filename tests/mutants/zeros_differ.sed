# -0 comes after +0
# file: kernels/topk/topk_avx512.c
# kernel: topk
# isa: avx512
# dies: right is|but .* on scalar
s/order = _mm512_mask_mov_epi32(order, negative_zero, sign);/(void)negative_zero;/

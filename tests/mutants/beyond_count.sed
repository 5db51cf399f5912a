# results are stored as whole vectors
# file: kernels/topk/topk_avx512.c
# kernel: topk_rows
# isa: avx512
# dies: left alone|crashed|next to|padding
s/simd_store_first(values + i, first, _mm512_castsi512_ps(bits));/_mm512_storeu_ps(values + i, _mm512_castsi512_ps(bits));/

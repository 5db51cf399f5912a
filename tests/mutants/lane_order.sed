# the first level of the tree joins lanes l and l + 16, not l + 32
# file: kernels/simd/avx512.h
# kernel: dot_query
# isa: avx512
# dies: but .* on scalar
s/_mm512_add_ps(_mm512_add_ps(s0, s2), _mm512_add_ps(s1, s3))/_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3))/

# the last element of a row of f16 is left out where an odd number of them is left
# file: kernels/simd/avx2.h
# kernel: dot_pair_f16
# isa: avx2
# dies: of the bound|but .* on scalar
s/return _mm_or_si128(twos, one);/return twos;/

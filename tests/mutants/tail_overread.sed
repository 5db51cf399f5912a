# one element too many is loaded at the end of a row
# file: kernels/simd/avx512.h
# kernel: dot_pair
# isa: avx512
# dies: crashed|nan
s|return d < 16 ? simd_load_first(p, d)|return d < 16 ? simd_load_first(p, d + 1)|

# one element too many is loaded at the end of a row
# part: address
# file: kernels/simd/avx512.h
# isa: avx512
# options: --quick --fingerprint --kernel dot_pair
# dies: AddressSanitizer: use-after-poison
s|return d < 16 ? simd_load_first(p, d)|return d < 16 ? simd_load_first(p, d + 1)|

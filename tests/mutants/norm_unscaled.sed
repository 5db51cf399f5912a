# rows whose square leaves the safe range are not scaled
# file: kernels/pair/norm.h
# kernel: cosine_pair
# isa: scalar
# dies: of the bound
s/return simd_bits(xx) - NORM_SAFE_LOWEST <= NORM_SAFE_SPAN;/return xx > 0.0f \&\& xx < INFINITY;/

# 2^(z - c) below the normal range is not made 0
# file: kernels/simd/avx2.h
# kernel: infonce_forward
# isa: avx2
# dies: but .* on scalar|of the bound|nan
/simd_exp2_shifted8/,/^}/s/c\.lowest/-1e30f/

# 2^z below the normal range is not made 0
# file: kernels/simd/avx2.h
# kernel: infonce_forward
# isa: avx2
# dies: but .* on scalar|of the bound|nan
/simd_exp2_raised8/,/^}/s/-126\.0f - SIMD_RAISE/-1e30f/

# the tile stores the NaN that the machine makes
# file: kernels/tile/tile_avx512.c
# kernel: dot_matrix
# isa: avx512
# dies: only 0x7fc00000 is right
s/acc\[r\]\[0\] = simd_canonical_nan16(acc\[r\]\[0\]);//

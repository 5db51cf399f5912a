# the last 1 to 15 elements beyond lane 48 of a row are left out
# file: kernels/pair/lanes_avx512.h
# kernel: dot_pair
# isa: avx512
# dies: of the bound|but .* on scalar
0,/if (d - k > 48) {/s//if (d - k > 64) {/

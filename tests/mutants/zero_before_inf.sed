# the cosine of a zero row is 0 beside a row with Inf or NaN, too
# file: kernels/pair/lanes_avx2.h
# kernel: cosine_pair
# isa: avx2
# dies: nan
/pair_scaled_cosine_avx2(size_t d/,/^}/s/if (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY)/if (greatest_x != 0 \&\& greatest_y != 0 \&\& (greatest_x >= NORM_INFINITY || greatest_y >= NORM_INFINITY))/

# a cosine of rows from memory takes half of the lanes from the first piece again
# file: kernels/pair/pair_avx2.c
# kernel: cosine_rows
# isa: avx2
# dies: of the bound|but .* on scalar
s/cosine_pass_avx2(count, x + k, y + k, 16, sum\[1\])/cosine_pass_avx2(count, x, y, 16, sum[1])/

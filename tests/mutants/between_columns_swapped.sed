# exponentials between a product's instructions join the sums of the strip's other columns
# file: kernels/infonce/infonce_exp_product_avx512.h
# kernel: infonce_forward
# isa: avx512
# dies: lse_y.*right is
s/float \*column = w->col_sum + part % 2 \* 16;/float *column = w->col_sum + (part + 1) % 2 * 16;/

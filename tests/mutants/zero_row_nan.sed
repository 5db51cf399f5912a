# a zero row is normalised to NaN
# file: kernels/pair/pair_scalar.c
# kernel: normalize_rows
# isa: scalar
# dies: right is -?0 
s/return (struct row_scale){1.0f, 0.0f};/return (struct row_scale){1.0f, 1.0f \/ xx};/

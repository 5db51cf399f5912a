# columns that underflow are not done again
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound|right is
s/#define COLUMN_SUM_LEAST 0x1p-32f/#define COLUMN_SUM_LEAST -1.0f/

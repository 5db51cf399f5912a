# rows and columns that underflow are not done again
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound|right is
s/#define SUM_LEAST 0x1p-60$/#define SUM_LEAST -1.0/

# rows and columns that overflow are not done again
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound|right is
s/sum\[i\] <= SUM_GREATEST/sum[i] <= INFINITY/

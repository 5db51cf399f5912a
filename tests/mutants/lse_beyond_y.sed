# the lse of further negatives are written behind those of y
# file: kernels/infonce/forward.c
# kernel: infonce_negatives_forward_backward
# isa: scalar
# dies: memory next to lse_y
s/lse != NULL \&\& i < own ?/lse != NULL ?/

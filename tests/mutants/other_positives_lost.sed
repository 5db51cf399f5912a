# of several positives only the greatest is in the sum
# file: kernels/infonce/forward.c
# kernel: multi_infonce_forward
# isa: scalar
# dies: of the bound
s/joined.others += lse_exp2(-down);/joined.others += 0;/

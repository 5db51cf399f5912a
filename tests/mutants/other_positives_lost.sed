# of several positives only the greatest is in the sum
# file: kernels/infonce/forward.c
# kernel: multi_infonce_forward
# isa: scalar
# dies: of the bound
s/joined.others += q == greatest ? 0 : share;/joined.others += 0;/

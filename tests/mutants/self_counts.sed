# a pair that is to be left out counts as a negative
# file: kernels/infonce/targets.c
# kernel: multi_infonce_forward_backward
# isa: scalar
# dies: of the bound
s/if (t->exclude_self \&\& self < sources)/if (t->exclude_self \&\& self + 1 < sources)/

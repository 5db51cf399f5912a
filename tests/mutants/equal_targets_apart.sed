# of a target that is listed twice only the first weight counts
# file: kernels/infonce/targets.c
# kernel: multi_infonce_forward
# isa: scalar
# dies: of the bound
s/t->weight\[out - 1\] += t->weight\[q\];/;/

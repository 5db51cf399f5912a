# the mean is over all rows, also those without weight
# file: kernels/infonce/targets.c
# kernel: multi_infonce_forward
# isa: scalar
# dies: of the bound|count is
s/t->x.counted += start\[i + 1\] > start\[i\];/t->x.counted++;/

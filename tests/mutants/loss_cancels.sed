# log(1 + v) adds the 1 in float, so that small losses lose their digits
# file: kernels/exp/lse.h
# kernel: infonce_forward
# isa: scalar
# dies: loss.* [0-9.e+]+ of the bound
s/lse_split(1 + v, &f)/lse_split((double)(1 + (float)v), \&f)/
s/small = -(uint64_t)(v < 0.41);/small = 0;/

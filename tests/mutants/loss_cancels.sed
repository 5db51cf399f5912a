# log(1 + v) adds the 1 in float, so that small losses lose their digits
# file: kernels/exp/lse.h
# kernel: infonce_forward
# isa: scalar
# dies: loss.* [0-9.e+]+ of the bound
s/return v < 0.41 ? lse_two_atanh(v \/ (2 + v)) : lse_log(1 + v);/return v < 0.41 ? lse_log((double)(1 + (float)v)) : lse_log(1 + v);/

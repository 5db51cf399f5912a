# the tail is not multiplied and added in one rounding
# file: kernels/pair/lanes_scalar.h
# kernel: dot_pair
# isa: scalar
# dies: but .* on scalar
0,/lane\[l\] = fmaf(pair_value(x\[k + l\]), pair_value(y\[k + l\]), lane\[l\]);/!{0,/lane\[l\] = fmaf(pair_value(x\[k + l\]), pair_value(y\[k + l\]), lane\[l\]);/s//lane[l] = pair_value(x[k + l]) * pair_value(y[k + l]) + lane[l];/}

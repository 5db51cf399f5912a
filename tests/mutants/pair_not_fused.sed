# the tail is not multiplied and added in one rounding
# file: kernels/cosine/cosine_scalar.c
# kernel: dot_pair
# isa: scalar
# dies: but .* on scalar
0,/lane\[l\] = fmaf(x\[k + l\], y\[k + l\], lane\[l\]);/!{0,/lane\[l\] = fmaf(x\[k + l\], y\[k + l\], lane\[l\]);/s//lane[l] = x[k + l] * y[k + l] + lane[l];/}

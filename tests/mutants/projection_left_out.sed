# the gradient along the row is not taken out
# file: kernels/infonce/infonce_scalar.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s/fmaf(-row->along, /fmaf(-0.0f, /

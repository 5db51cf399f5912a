# cosine: the gradient along the row is not taken out
# file: kernels/infonce/infonce_scalar.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s/float v = fmaf(-projection, x, row->gradient\[k\]);/float v = fmaf(-0.0f, x, row->gradient[k]);/

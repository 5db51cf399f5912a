# the positive of x_i is y_i whatever the offset
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound
s/\.shift = (ptrdiff_t)p->config.offset,/.shift = 0,/

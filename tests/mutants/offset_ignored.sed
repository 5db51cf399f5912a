# the positive of x_i is y_i whatever the offset
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound
s/ptrdiff_t offset = (ptrdiff_t)p->config.offset;/ptrdiff_t offset = 0;/

# the positive of x_i is y_i whatever the offset
# file: kernels/infonce/targets.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound
s/offset = p->config.offset;/offset = 0;/

# the two directions' weights are exchanged
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound
s/(double)p->config.weight_x \* mean_of(loss_x/(double)p->config.weight_y * mean_of(loss_x/; s/(double)p->config.weight_y \* mean_of(loss_y/(double)p->config.weight_x * mean_of(loss_y/

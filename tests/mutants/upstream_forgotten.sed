# the upstream factor reaches the gradients of one direction only
# file: kernels/infonce/weights.c
# kernel: infonce_negatives_forward_backward
# isa: scalar
# dies: of the bound
s/double weight_y = p->config.upstream \* /double weight_y = /

# a gradient's own row keeps the origin that its sum has lost
# file: kernels/infonce/finish.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: of the bound
s/\.origin = self->origin/.origin = NULL/

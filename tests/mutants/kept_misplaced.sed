# exponentials kept from the forward are looked for one block away
# file: kernels/infonce/gradient.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: but .* |of the bound
s/kept_block(p, first, s->super.col);/kept_block(p, s->super.row, s->super.col);/

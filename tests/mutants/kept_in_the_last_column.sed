# exponentials of the last column of blocks wait in rows of dX that are finished beside it
# file: kernels/infonce/kept.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: but .* |of the bound
s/c + 1 < s->columns/c < s->columns/

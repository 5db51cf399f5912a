# columns that are done again have no logit_scale in them
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: of the bound|right is
s/(struct operands){&y, &p->x/(struct operands){\&p->y, \&p->x/

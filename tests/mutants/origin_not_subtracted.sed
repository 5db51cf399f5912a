# neg_sq_l2 is expanded without an origin
# file: kernels/tile/tile.c
# kernel: neg_sq_l2_matrix
# isa: scalar
# dies: of the bound
s/operand->origin != NULL ? operand->origin + k : NULL/NULL/

# the sigmoid loss forgets the bias of the positives
# file: kernels/infonce/gradient.c
# kernel: sigmoid_forward_backward
# isa: scalar
# dies: of the bound
s/((double)p->sigmoid.row_term\[row\] + (double)p->sigmoid.col_term\[col\])/0/

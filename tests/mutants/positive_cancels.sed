# P - 1 of the positive is a difference of numbers near 1
# file: kernels/infonce/backward.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s/float rest_x = p->row_e\[i\] \* p->row_factor\[i\]/float rest_x = (1.0f + p->row_e[i] * p->row_factor[i]) - 1.0f/

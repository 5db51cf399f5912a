# P - 1 of the positive is a difference of numbers near 1
# file: kernels/infonce/backward.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s/return -(coef_x \* p->row_p\[i\]/return -(coef_x * ((1.0f + p->row_p[i]) - 1.0f)/

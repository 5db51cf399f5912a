# P - 1 of the positive is a difference of numbers near 1
# file: kernels/infonce/finish.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s|double rest_x = p->gradient.row_e\[i\] \* p->softmax.row_factor\[i\]|double rest_x = (double)((1.0f + (float)(p->gradient.row_e[i] * p->softmax.row_factor[i])) - 1.0f)|

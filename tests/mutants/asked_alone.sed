# the logit scale's gradient is not summed where dX is not wanted
# file: kernels/infonce/problem.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: dlogit_scale asked alone
s/\.rows = dx || by_rows,/.rows = dx,/

# neg_sq_l2 leaves out a half of the logit scale's gradient where dY is not wanted
# file: kernels/infonce/problem.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: dlogit_scale asked alone
s/\.columns = dy || further || (dlogit_scale && by_columns),/.columns = dy || further,/
s/\.stand_in_columns = dlogit_scale && by_columns &&/.stand_in_columns = false \&\& by_columns \&\&/

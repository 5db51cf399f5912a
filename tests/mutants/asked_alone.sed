# the logit scale's gradient is not summed where dX is not wanted
# file: kernels/infonce/problem.h
# kernel: infonce_forward_backward
# isa: scalar
# dies: dlogit_scale asked alone
s/return p->wanted.dlogit_scale || along;/return (p->wanted.dlogit_scale \&\& p->wanted.rows) || along;/

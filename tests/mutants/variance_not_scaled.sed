# the gradient of the log-variances misses the scale
# file: kernels/infonce/sigmoid.c
# kernel: csd_sigmoid_forward_backward
# isa: scalar
# dies: dlog_var.* of the bound
s/factor = -(double)p->config.logit_scale \* sum/factor = -sum/

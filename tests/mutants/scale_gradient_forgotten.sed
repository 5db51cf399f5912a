# neg_sq_l2 gives no gradient of the logit scale
# file: kernels/infonce/backward.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: dlogit_scale
s/\*dlogit_scale = logit_scale_gradient(p);/*dlogit_scale = p->config.similarity == MMK_NEG_SQ_L2 ? 0.0f : logit_scale_gradient(p);/

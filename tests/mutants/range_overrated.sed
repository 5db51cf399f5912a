# float is trusted with any logit_scale
# file: kernels/infonce/wide.c
# kernel: infonce_forward_backward
# isa: scalar
# dies: of the bound|nan
s/return within(fabs(scale), 0x1p-80, 0x1p20);/return scale == scale;/
s/!within(s, 0x1p-100, 0x1p100) ||/false ||/
s/!within(logit, least, 0x1p64)/!within(logit, 0, 0x1p64)/

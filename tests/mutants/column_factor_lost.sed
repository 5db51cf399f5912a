# the column softmax of the positives misses its factor
# file: kernels/infonce/finish.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound|but .* on scalar
s/p->gradient.col_e\[j\] \* p->softmax.col_factor\[j\]/p->gradient.col_e[j]/

# the column softmax of the positives misses its factor
# file: kernels/infonce/finish.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound|but .* on scalar
s/p->col_e\[j\] \* p->col_factor\[j\]/p->col_e[j]/

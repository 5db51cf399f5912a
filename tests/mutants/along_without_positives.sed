# cosine: what is taken out along a row lacks its positives' part
# file: kernels/infonce/finish.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s/along += (double)coef \*/along += 0 * (double)coef */

# the coefficient of r^4 in exp is off by 1 in 3000
# file: kernels/exp/exp.h
# kernel: exp
# isa: scalar
# dies: of the bound
s/0x1.555a26p-5f/0x1.55c426p-5f/

# a block with a greater maximum does not scale down the sum so far
# file: kernels/exp/exp.c
# kernel: logsumexp
# isa: scalar
# dies: of the bound
s/sum = sum \* factor(-raised) + block_sum/sum = sum + block_sum/

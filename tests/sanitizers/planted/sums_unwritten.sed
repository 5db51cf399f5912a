# sums over a row begin with what the memory held
# part: memory
# file: kernels/infonce/gradient.c
# isa: scalar
# options: --quick --quiet --threads 1 --kernel infonce_forward_backward
# dies: MemorySanitizer: use-of-uninitialized-value
s/memset(lane + of \* LANE_FLOATS, 0, rows \* INFONCE_LANES \* sizeof \*lane);/;/

# sums over a row begin with what the memory held
# part: valgrind
# file: kernels/infonce/gradient.c
# isa: avx2
# options: --quick --quiet --threads 1 --kernel infonce_forward_backward
# dies: (Conditional jump or move depends on|Use of) uninitialised value
s/memset(lane + of \* LANE_FLOATS, 0, rows \* INFONCE_LANES \* sizeof \*lane);/;/

# sums are joined before all of their blocks are there
# file: kernels/infonce/pass.c
# kernel: infonce_forward
# isa: scalar
# again: not each time
# dies: but .* on|of the bound
/pass_block, &share/{n;s/threads_wait(workers);/;/}

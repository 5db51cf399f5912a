# products begin before all workers have packed their part
# file: kernels/infonce/pass.c
# kernel: infonce_forward
# isa: scalar
# dies: but .* on|of the bound
/infonce_hold(p, &pass->operands/{n;s/threads_wait(workers);/;/}

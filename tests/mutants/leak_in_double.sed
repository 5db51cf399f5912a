# the sigmoid loss in double does not give its memory back
# file: kernels/infonce/sigmoid.c
# kernel: sigmoid_forward
# isa: scalar
# dies: more memory in use
/run_wide(&p, &c);/{n;s/scratch_close(&scratch);/;/}

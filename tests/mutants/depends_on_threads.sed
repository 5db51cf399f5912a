# the shift depends on the thread count
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: but .* on scalar
s/float shift = floorf(greatest - SAMPLE_HEIGHT);/float shift = floorf(greatest - SAMPLE_HEIGHT) + (p->threads == 3 ? 0.3f : 0.0f);/

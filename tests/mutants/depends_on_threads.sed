# the columns' shift depends on the thread count
# file: kernels/infonce/forward.c
# kernel: infonce_forward
# isa: scalar
# dies: but .* on scalar
s/float raised = shift2 > \*shift ? shift2 : \*shift;/float raised = (shift2 > *shift ? shift2 : *shift) + (p->threads == 3 ? 0.3f : 0.0f);/

# of equal scores the last index comes first
# file: kernels/topk/topk_scalar.c
# kernel: topk
# isa: scalar
# dies: indices
s/(uint32_t)~indices\[i\]/indices[i]/; s/~(uint32_t)keys\[i\]/(uint32_t)keys[i]/

# an item that a ranking lists again counts again
# file: kernels/retrieval/retrieval.c
# kernel: retrieval_metrics
# isa: scalar
# dies: right is
s/ || \*slot & SLOT_FOUND//

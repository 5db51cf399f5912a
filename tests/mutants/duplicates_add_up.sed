# R counts an item that is listed twice as two
# file: kernels/retrieval/retrieval.c
# kernel: retrieval_metrics
# isa: scalar
# dies: r_precision.*right is
s/weight > 0.0f && \*slot == 0/weight > 0.0f/

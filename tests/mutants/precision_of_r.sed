# precision@r has R for a denominator
# file: kernels/retrieval/retrieval.c
# kernel: retrieval_metrics
# isa: scalar
# dies: map_at_r.*right is
s/(double)hits \/ (double)(r + 1)/(double)hits \/ (double)R/

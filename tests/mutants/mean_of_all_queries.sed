# the means are over all queries, those without relevant items too
# file: kernels/retrieval/retrieval.c
# kernel: retrieval_metrics
# isa: scalar
# dies: right is
s/mean(\(.*\), sums.counted)/mean(\1, problem->m)/

# Recall@K looks at K + 1 items
# file: kernels/retrieval/retrieval.c
# kernel: retrieval_metrics
# isa: scalar
# dies: recall.*right is
s/first < p->recall_at\[k\]/first <= p->recall_at[k]/

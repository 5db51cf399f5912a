# a block's rows are copied one element too long
# file: kernels/cosine/matrix.c
# kernel: cosine_matrix
# isa: scalar
# dies: padding|next to|crashed
s/memcpy(out + r \* p->ldresult, c + r \* ldc, b->cols \* sizeof \*c)/memcpy(out + r * p->ldresult, c + r * ldc, (b->cols + 1) * sizeof *c)/

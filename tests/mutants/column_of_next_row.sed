# a column's candidate is said to stand one row further down
# file: kernels/search/search_avx2.c
# kernel: search_both
# isa: avx2
# dies: indices_y
s/strip->first_row + (uint32_t)r/strip->first_row + (uint32_t)r + 1/

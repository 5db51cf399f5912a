# what only equals the threshold is no candidate
# file: kernels/search/search_avx512.c
# kernel: search
# isa: avx512
# dies: ranks|on scalar|right is|values
s/_CMP_GE_OQ/_CMP_GT_OQ/

# rows of a query take the squared norm given for the row after
# file: kernels/query/query_avx512.c
# kernel: cosine_query_norms
# isa: avx512
# dies: of the bound|but .* on scalar
s/simd_load_first(squared_norms, rows)/simd_load_first(squared_norms + (rows > 1), rows - (rows > 1))/

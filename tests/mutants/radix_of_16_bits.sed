# the places of a radix sort are counted in 16 bits
# file: kernels/topk/topk_stream.c
# kernel: topk
# isa: scalar
# dies: right is
s/uint32_t place\[DIGITS\]\[RADIX\]/uint16_t place[DIGITS][RADIX]/;s/place\[d\]\[r\] = sum;/place[d][r] = (uint16_t)sum;/

# the candidates of all workers but the last are forgotten
# file: kernels/search/search.c
# kernel: search
# isa: scalar
# again: not each time
# dies: values|indices
s/stream = out;/stream = \&p->workers[other].rows.streams[r];/

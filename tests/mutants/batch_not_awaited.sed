# a search's results are read before all workers have searched
# file: kernels/search/search.c
# kernel: search
# isa: scalar
# again: not each time
# dies: values|indices
/chunk_task, &b/{n;n;n;s/threads_wait(team);/;/}

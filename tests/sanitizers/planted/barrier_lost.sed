# workers do not wait for each other between the parts of a call
# part: thread
# file: kernels/call/threads.c
# isa: scalar
# options: --quick --quiet --threads 3 --fill normal --kernel infonce_forward
# dies: ThreadSanitizer: data race
s/^#pragma omp barrier$/;/

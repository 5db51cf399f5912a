# while sizes are added up, pieces stand at an offset to no memory
# part: address
# file: kernels/call/scratch.h
# isa: scalar
# options: --quick --quiet --kernel infonce_forward
# dies: runtime error: applying .*offset.* to null pointer
s/if (scratch->base == NULL)/if (false \&\& scratch->base == NULL)/

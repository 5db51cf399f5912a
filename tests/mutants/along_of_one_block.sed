# the columns' sums of G times logits are those of the first block of rows alone
# file: kernels/infonce/products.c
# kernel: infonce_backward
# isa: scalar
# dies: of the bound
s/{g->sums_gz, g->col_gz, g->part_gz}/{g->sums_gz \&\& s->super.rows <= TILE_BLOCK_ROWS, g->col_gz, g->part_gz}/

# one or two queries keep the origin that the rows of Y lose
# file: kernels/tile/tile.c
# kernel: search
# isa: scalar
# dies: of the bound
s/tile_subtract_origin(d, row, a->origin, out)/tile_subtract_origin(d, row, NULL, out)/

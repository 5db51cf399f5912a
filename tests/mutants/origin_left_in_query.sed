# one or two queries keep the origin that the rows of Y lose
# file: kernels/search/search.c
# kernel: search
# isa: scalar
# dies: of the bound
s/tile_subtract_origin(p->d, x, p->x.origin, out)/tile_subtract_origin(p->d, x, NULL, out)/
